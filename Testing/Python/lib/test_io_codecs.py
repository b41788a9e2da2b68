"""Every common transfer syntax gives the same pixels."""

import io

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

import MedFusionLib as mf
from dicom_writer import Recipe, stored_pixels, write_series
from MedFusionLib.errors import UnreadableFile

SHAPE = (3, 20, 24)


def native(path, dataset, syntax):
    pixels = dataset.pixel_array
    little = syntax != ExplicitVRBigEndian
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder("<" if little else ">")).tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=little)


def compressed(path, dataset, syntax):
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path)


def lossless_jpeg(path, dataset, syntax):
    """Only GDCM writes it here."""
    image, other = sitk.GetImageFromArray(dataset.pixel_array[None]), path.with_suffix(".other")
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetCompressor("JPEG")
    writer.UseCompressionOn()
    writer.SetFileName(str(other))
    writer.Execute(image)
    made = pydicom.dcmread(other)
    other.unlink()
    assert made.file_meta.TransferSyntaxUID == syntax
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset["PixelData"] = made["PixelData"]
    dataset.save_as(path)


WAYS = {
    ImplicitVRLittleEndian: native, ExplicitVRBigEndian: native, RLELossless: compressed,
    JPEGLSLossless: compressed, JPEGLosslessSV1: lossless_jpeg,
}  # fmt: skip


def stored_as(folder, syntax, recipe):
    write_series(folder, recipe)
    for path in sorted(folder.iterdir()):
        WAYS[syntax](path, pydicom.dcmread(path), syntax)


@pytest.mark.parametrize("syntax", WAYS, ids=lambda uid: uid.keyword)
def test_a_series_is_the_same_in_every_transfer_syntax(tmp_path, syntax):
    recipe = Recipe(shape=SHAPE, slopes=(1.0, 2.0, 0.5))
    stored_as(tmp_path, syntax, recipe)
    expected = stored_pixels(recipe) * np.array(recipe.slopes)[:, None, None] - 1000
    assert np.array_equal(mf.read_volume(tmp_path).array, expected)


def test_lossy_jpeg_is_read_to_its_own_accuracy(tmp_path):
    write_series(tmp_path, Recipe("MR", shape=(1, 20, 24)))
    [path] = tmp_path.iterdir()
    dataset = pydicom.dcmread(path)
    picture, stream = np.add.outer(4 * np.arange(20), 5 * np.arange(24)).astype(np.uint8), io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=95)
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.add_new("PixelData", "OB", encapsulate([stream.getvalue()]))
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    np.testing.assert_allclose(mf.read_volume(path).array[0], picture, atol=4)


def test_negative_pixels_of_twelve_bits_come_through_lossless_jpeg(tmp_path):
    write_series(tmp_path, Recipe("MR", shape=(1, 20, 24)))
    [path] = tmp_path.iterdir()
    dataset = pydicom.dcmread(path)
    pixels = np.random.default_rng(0).integers(-2048, 2048, dataset.pixel_array.shape, np.int16)
    dataset.PixelData = pixels.tobytes()
    lossless_jpeg(path, dataset, JPEGLosslessSV1)
    assert np.array_equal(mf.read_volume(path).array[0], pixels)


def test_lossless_jpeg_that_is_rubbish_is_one_typed_error(tmp_path):
    stored_as(tmp_path, JPEGLosslessSV1, Recipe("MR", shape=SHAPE))
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-200] + bytes(200))
    with pytest.raises(UnreadableFile, match="cannot be decoded"):
        mf.read_volume(tmp_path)
