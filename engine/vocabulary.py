"""The words of the field, as enumerations; imports nothing of the project."""

from enum import StrEnum


class Role(StrEnum):
    """What a person may do; each role may do all that those before it may."""

    VIEWER = "viewer"
    SURVEYOR = "surveyor"
    ENGINEER = "engineer"
    ADMIN = "admin"


class JobKind(StrEnum):
    """Kinds of queued work; one task runs them all."""

    IMPORT_SURVEY = "import_survey"
    ANALYSE_SURVEY = "analyse_survey"
    MAKE_SAMPLE = "make_sample"
    ADAPT_SURVEY = "adapt_survey"
    COMPARE_CHECKPOINTS = "compare_checkpoints"
    CALIBRATE_CAMERA = "calibrate_camera"
    ROLL_UP_NETWORK = "roll_up_network"
    MAKE_PLAN = "make_plan"
    EXPORT_SURVEY = "export_survey"


class JobState(StrEnum):
    """Life of a job; the last three are final (a retry makes it queued again)."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DistressType(StrEnum):
    """Kinds of distress that are told apart; `CRACK` where no ground plane is known."""

    CRACK = "crack"
    LONGITUDINAL = "longitudinal"
    TRANSVERSE = "transverse"
    DIAGONAL = "diagonal"
    BLOCK = "block"
    ALLIGATOR = "alligator"
    POTHOLE = "pothole"


class Severity(StrEnum):
    """How bad a distress is, by a named standard."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    NOT_MEASURABLE = "not_measurable"


class LaneZone(StrEnum):
    """The five zones across a lane, left to right (AASHTO R 85)."""

    LEFT_EDGE = "left_edge"
    LEFT_WHEEL_PATH = "left_wheel_path"
    CENTRE = "centre"
    RIGHT_WHEEL_PATH = "right_wheel_path"
    RIGHT_EDGE = "right_edge"


class CameraKind(StrEnum):
    """Where a survey's camera looks."""

    DOWNWARD = "downward"
    FORWARD = "forward"


class WishKind(StrEnum):
    """What people may decide about a section before it is planned."""

    PIN = "pin"
    FORBID = "forbid"
    COMMENT = "comment"


class ExportFormat(StrEnum):
    """What results and plans are handed out as."""

    PDF = "pdf"
    EXCEL = "xlsx"
    CSV = "csv"
    GEOPACKAGE = "gpkg"
    SHAPEFILE = "shp"
    GEOJSON = "geojson"
    KML = "kml"
    OVERLAYS = "overlays"
    INSPECTIONS = "inspections"


class AuditAnswer(StrEnum):
    """What a person says of a tile without having seen the model's answer."""

    CRACK = "crack"
    NONE = "none"
    UNSURE = "unsure"


class PositionSource(StrEnum):
    """Where an image's position came from."""

    EXIF = "exif"
    TRACK = "track"
    NONE = "none"


class ImageFlag(StrEnum):
    """What preflight noticed about an accepted image; the image is kept."""

    NO_POSITION = "no_position"
    OFF_NETWORK = "off_network"
    BLURRED = "blurred"
    DARK = "dark"
    POSITION_INTERPOLATED = "position_interpolated"
    TIME_IN_FUTURE = "time_in_future"
    OUTSIDE_TRACK = "outside_track"


class Refusal(StrEnum):
    """Why preflight kept a file out of a survey."""

    EMPTY_FILE = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    DAMAGED_IMAGE = "damaged_image"
    TOO_LARGE = "too_large"
    TOO_SMALL = "too_small"
    ANIMATED = "animated"
    DUPLICATE = "duplicate"
    UNSAFE_PATH = "unsafe_path"
    SYMLINK = "symlink"
    NESTED_ARCHIVE = "nested_archive"
    ENCRYPTED = "encrypted"
    ARCHIVE_BOMB = "archive_bomb"
    DAMAGED_ARCHIVE = "damaged_archive"
