"""224 x 224 colour images in, 4096 features or class scores out: the network of the first deep-feature studies."""

from torch import fx, nn

from radiodeep.exceptions import InputError


class CnnF(nn.Module):
    """CNN-F, also called VGG-F: five convolutions and three full layers, 60,834,536 weights for 1000 classes.

    Parameters
    ----------
    in_channels : int, default=3
    n_classes : int, default=1000
        0 leaves `fc8` out.

    Notes
    -----
    (n, in_channels, 224, 224) -> (n, n_classes), by way of maps of 54, 27, 27, 13, 13 and 6 pixels. Each layer has its
    name of the paper: the module `fc7` gives the values before the rectifier and `relu7` those after it. No rectifier
    works in place, so both stay as they were.

    Raises
    ------
    InputError
        The images are not 224 x 224, which `fc6` needs.

    References
    ----------
    K. Chatfield, K. Simonyan, A. Vedaldi, A. Zisserman, Return of the Devil in the Details, BMVC 2014, table 1.
    """

    classifier_name = "fc8"

    def __init__(self, in_channels=3, n_classes=1000):
        super().__init__()
        # MatConvNet's alpha is not divided by the number of channels; torch's is, hence 5 x 1e-4.
        normalization = {"size": 5, "alpha": 5e-4, "beta": 0.75, "k": 2.0}
        self.conv1, self.relu1 = nn.Conv2d(in_channels, 64, 11, stride=4), nn.ReLU()
        # The original pads the first pooling by one pixel at its end, which is what ceil_mode does here.
        self.norm1, self.pool1 = nn.LocalResponseNorm(**normalization), nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2, self.relu2 = nn.Conv2d(64, 256, 5, padding=2), nn.ReLU()
        self.norm2, self.pool2 = nn.LocalResponseNorm(**normalization), nn.MaxPool2d(3, 2)
        self.conv3, self.relu3 = nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()
        self.conv4, self.relu4 = nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()
        self.conv5, self.relu5 = nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()
        self.pool5 = nn.MaxPool2d(3, 2)
        self.fc6, self.relu6 = nn.Linear(256 * 6 * 6, 4096), nn.ReLU()
        self.fc7, self.relu7 = nn.Linear(4096, 4096), nn.ReLU()
        self.fc8 = nn.Linear(4096, n_classes) if n_classes else nn.Identity()

    def forward_features(self, images):
        """Return layer 7 after its rectifier, shape (n, 4096)."""
        maps = self.pool1(self.norm1(self.relu1(self.conv1(_of_its_size(images)))))
        maps = self.pool2(self.norm2(self.relu2(self.conv2(maps))))
        maps = self.relu4(self.conv4(self.relu3(self.conv3(maps))))
        maps = self.pool5(self.relu5(self.conv5(maps)))
        return self.relu7(self.fc7(self.relu6(self.fc6(maps.flatten(1)))))

    def forward(self, images):
        return self.fc8(self.forward_features(images))


@fx.wrap  # or its question would bar the way to those who trace the network
def _of_its_size(images):
    if images.shape[-2:] != (224, 224):
        raise InputError(
            f"cnn_f takes images of 224 x 224 pixels. Got {images.shape[-2]} x {images.shape[-1]} instead; "
            "resize the window (of any size) to 224 first."
        )
    return images
