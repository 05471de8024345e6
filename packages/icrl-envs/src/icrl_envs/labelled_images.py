"""The images that there are: digits, which lie in this package, and Fashion-MNIST."""

from functools import lru_cache
from pathlib import Path

from icrl.errors import ConfigError
from icrl.files import read_tensors
from icrl_envs.fashion_mnist import fashion_mnist
from icrl_envs.image_set import ImageSet

DIGITS = Path(__file__).parent / "data" / "digits.safetensors"


def labelled_images(name: str, path: str | None) -> ImageSet:
    """Images by the name of their set; `path` is where Fashion-MNIST lies.

    Raises:
        ConfigError: if there is no such set, or not all of it.
        DamagedFileError: naming the file.
    """
    if name == "fashion-mnist":
        return fashion_mnist(path)
    if name != "digits":
        raise ConfigError(f"data={name!r}: expected 'digits' or 'fashion-mnist'.")
    if path is not None:
        raise ConfigError(f"path={path!r} is where Fashion-MNIST lies; give data='fashion-mnist'.")
    return digits()


@lru_cache(maxsize=1)
def digits() -> ImageSet:
    """1797 handwritten digits of 8 x 8 pixels, from 0 to 16; no two are alike.

    Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, doi:10.24432/C50P49, licence CC BY 4.0: its test part, in the order in which
    scikit-learn's `load_digits` has it.
    """
    tensors, _ = read_tensors(DIGITS)
    names = tuple(str(digit) for digit in range(10))
    return ImageSet(tensors["images"], tensors["labels"].long(), names, 16, None)
