"""Members of zip files that others may read, dated as they are written."""

import stat
import time
import zipfile


def member(name: str, compressed: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    """A member for `ZipFile.open` and `writestr`, which by themselves let nobody else read it."""
    info = zipfile.ZipInfo(name, time.localtime()[:6])
    info.compress_type = compressed
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info
