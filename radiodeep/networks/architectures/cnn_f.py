"""Colour images of 224 x 224 pixels -> 4096 features or class scores: CNN-F, CNN-M and CNN-S.

K. Chatfield, K. Simonyan, A. Vedaldi, A. Zisserman, Return of the Devil in the Details, BMVC 2014, table 1.
"""

from torch import fx, nn

from radiodeep.exceptions import InputError


@fx.wrap  # symbolic tracing cannot follow a condition on the shape
def _require_size(images, name):
    if images.shape[-2:] != (224, 224):
        raise InputError(
            f"{name} takes images of 224 x 224 pixels. Got {images.shape[-2]} x {images.shape[-1]} instead. "
            "Resize them to 224 x 224 first."
        )
    return images


class _ChatfieldNetwork(nn.Module):
    """Five convolutions and three dense layers, named as in the paper.

    Module `fc7` returns layer 7 before the rectifier and `relu7` after it. No rectifier works in place, so that both
    can be read.
    """

    classifier_name = "fc8"
    n_features = 4096

    def __init__(self, in_channels, n_classes, widths, conv1, conv2, pools, normalize_second=True):
        super().__init__()
        first, second, last = widths

        def normalization(is_used=True):
            # torch divides alpha by the number of channels (5) and MatConvNet does not, hence 5 x 1e-4.
            return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0) if is_used else nn.Identity()

        # MatConvNet pads the end of a map that pooling windows do not tile, as ceil_mode does.
        pool1, pool2, pool5 = (nn.MaxPool2d(size, stride, ceil_mode=True) for size, stride in pools)
        self.conv1, self.relu1 = nn.Conv2d(in_channels, first, **conv1), nn.ReLU()
        self.norm1, self.pool1 = normalization(), pool1
        self.conv2, self.relu2 = nn.Conv2d(first, second, 5, **conv2), nn.ReLU()
        self.norm2, self.pool2 = normalization(normalize_second), pool2
        self.conv3, self.relu3 = nn.Conv2d(second, last, 3, padding=1), nn.ReLU()
        self.conv4, self.relu4 = nn.Conv2d(last, last, 3, padding=1), nn.ReLU()
        self.conv5, self.relu5 = nn.Conv2d(last, last, 3, padding=1), nn.ReLU()
        self.pool5 = pool5
        self.fc6, self.relu6 = nn.Linear(last * 6 * 6, self.n_features), nn.ReLU()
        self.fc7, self.relu7 = nn.Linear(self.n_features, self.n_features), nn.ReLU()
        self.fc8 = nn.Linear(self.n_features, n_classes) if n_classes else nn.Identity()

    def forward_features(self, images):
        """Return layer 7 after its rectifier, shape (n, 4096)."""
        maps = self.pool1(self.norm1(self.relu1(self.conv1(_require_size(images, self.name)))))
        maps = self.pool2(self.norm2(self.relu2(self.conv2(maps))))
        maps = self.relu4(self.conv4(self.relu3(self.conv3(maps))))
        maps = self.pool5(self.relu5(self.conv5(maps)))
        return self.relu7(self.fc7(self.relu6(self.fc6(maps.flatten(1)))))

    def forward(self, images):
        return self.fc8(self.forward_features(images))


class CnnF(_ChatfieldNetwork):
    """CNN-F (VGG-F, "fast"): 60,834,536 weights for 1000 classes; maps of 54, 27, 27, 13, 13 and 6 pixels."""

    name = "cnn_f"

    def __init__(self, in_channels=3, n_classes=1000):
        conv1, conv2 = {"kernel_size": 11, "stride": 4}, {"padding": 2}
        super().__init__(in_channels, n_classes, (64, 256, 256), conv1, conv2, ((3, 2), (3, 2), (3, 2)))


class CnnM(_ChatfieldNetwork):
    """CNN-M (VGG-M, "medium"): like `CnnF` with 96, 256 and 512 maps of 109, 54, 26, 13, 13 and 6 pixels."""

    name = "cnn_m"

    def __init__(self, in_channels=3, n_classes=1000):
        conv1, conv2 = {"kernel_size": 7, "stride": 2}, {"stride": 2, "padding": 1}
        super().__init__(in_channels, n_classes, (96, 256, 512), conv1, conv2, ((3, 2), (3, 2), (3, 2)))


class CnnS(_ChatfieldNetwork):
    """CNN-S (VGG-S, "slow"): like `CnnF` with 96, 256 and 512 maps of 109, 37, 33, 17, 17 and 6 pixels.

    Only the first convolution is followed by normalization. The second has no padding, as in the published weights;
    the padding of one pixel in the paper's table would lead to 35 and 18 pixels.
    """

    name = "cnn_s"

    def __init__(self, in_channels=3, n_classes=1000):
        conv1, pools = {"kernel_size": 7, "stride": 2}, ((3, 3), (2, 2), (3, 3))
        super().__init__(in_channels, n_classes, (96, 256, 512), conv1, {}, pools, normalize_second=False)
