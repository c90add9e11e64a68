"""Images of a case that share grid and mask -> the channels of a network."""

from dataclasses import dataclass, field

from radiodeep.exceptions import InputError
from radiodeep.features.several_images import MeasuredImages
from radiodeep.imaging.image_channels import planes_of_images

_MOST = 3


def measured_images(extractor, cases=None):
    """Return the `MeasuredImages` of a deep extractor, which may be channels."""
    images = MeasuredImages.of(extractor, cases)
    return ImagesAsChannels.of(images) if extractor.channel == "images" else images


@dataclass(frozen=True)
class ImagesAsChannels(MeasuredImages):
    """Up to three images that a network is shown at once; their one set of columns begins with all names."""

    images: MeasuredImages = field(default_factory=MeasuredImages)

    @classmethod
    def of(cls, images):
        """Return the images that a network is shown, from the `MeasuredImages` of its extractor."""
        if len(images.names) > _MOST:
            raise InputError(
                f"channel='images' shows a network up to {_MOST} images. Got {len(images.names)}: "
                f"{', '.join(images.names)}. Choose some of them, e.g. image={images.names[:_MOST]!r}."
            )
        return cls(("+".join(images.names),), images.share_mask, images)

    def parts(self, case):
        """Return the plain cases of all images by name; none of them if one is missing."""
        parts = self.images.parts(case)
        return parts if len(parts) == len(self.images.names) else {}

    def part(self, case, number):
        raise InputError(f"{case.id}: channel='images' shows all images at once. Use channel='all' for one of them.")

    def missing(self, case):
        return self.images.missing(case)

    def settings(self):
        return self.images.settings()

    def shown(self, show, case):
        """Return the images in the windows that `show` gives, as planes (n_images, 1 or 3, side, side)."""
        if not self.images.are_named:
            raise InputError(f"{case.id}: channel='images' needs several images, by name. Use channel='all' for one.")
        parts = self.parts(case)
        if not parts:
            return {}
        return {self.names[0]: planes_of_images(case, parts, show)}
