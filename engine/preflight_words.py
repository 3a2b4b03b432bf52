"""How flags and refusals are said to people (torch-free)."""

from engine.vocabulary import ImageFlag, Refusal

# What follows "N photos" / "1 photo": (one, many, remedy).
FLAG_WORDS: dict[ImageFlag, tuple[str, str, str]] = {
    ImageFlag.NO_POSITION: (
        "has no position and will not be on the map",
        "have no position and will not be on the map",
        "Add the GPS track of the drive, or switch on GPS in the camera.",
    ),
    ImageFlag.OFF_NETWORK: (
        "is not on any road of the network",
        "are not on any road of the network",
        "Check that the right network is chosen and that the camera had a GPS signal.",
    ),
    ImageFlag.BLURRED: (
        "looks blurred; fine cracks may be missed",
        "look blurred; fine cracks may be missed",
        "Check focus and shutter speed; take these photos again if you can.",
    ),
    ImageFlag.DARK: (
        "is very dark; cracks may be missed",
        "are very dark; cracks may be missed",
        "Take these photos again in daylight if you can.",
    ),
    ImageFlag.POSITION_INTERPOLATED: (
        "shared its GPS second with another; its position was worked out from its neighbours",
        "shared their GPS second with others; their positions were worked out from their neighbours",
        "Nothing needs to be done.",
    ),
    ImageFlag.TIME_IN_FUTURE: (
        "carries a date in the future",
        "carry a date in the future",
        "Set the camera's clock; enter the clock offset for this survey.",
    ),
    ImageFlag.OUTSIDE_TRACK: (
        "was taken when the GPS track was not recording",
        "were taken when the GPS track was not recording",
        "Check the clock offset and that the track is of the same day.",
    ),
}
REFUSAL_WORDS: dict[Refusal, tuple[str, str, str]] = {
    Refusal.EMPTY_FILE: ("is empty", "are empty", "Copy them again from the camera."),
    Refusal.NOT_AN_IMAGE: ("is not a photo", "are not photos", "Nothing needs to be done if that is right."),
    Refusal.UNSUPPORTED_FORMAT: (
        "has a format that cannot be read",
        "have a format that cannot be read",
        "Save them as JPEG photos.",
    ),
    Refusal.DAMAGED_IMAGE: (
        "is damaged or incomplete",
        "are damaged or incomplete",
        "Copy them again from the camera.",
    ),
    Refusal.TOO_LARGE: ("is too large", "are too large", "Save them at a smaller size."),
    Refusal.TOO_SMALL: ("is too small", "are too small", "Use the original photos."),
    Refusal.ANIMATED: (
        "holds several pictures",
        "hold several pictures",
        "Save the one picture you need as a JPEG photo.",
    ),
    Refusal.DUPLICATE: (
        "is the same as another and is stored once",
        "are the same as others and are stored once",
        "Nothing needs to be done.",
    ),
    Refusal.UNSAFE_PATH: (
        "would be unpacked outside its folder",
        "would be unpacked outside their folder",
        "Make the zip again from the folder of photos.",
    ),
    Refusal.SYMLINK: (
        "is only a link to another place",
        "are only links to another place",
        "Put the photos themselves in.",
    ),
    Refusal.NESTED_ARCHIVE: (
        "is an archive inside the import",
        "are archives inside the import",
        "Unpack them, then import each by itself.",
    ),
    Refusal.ENCRYPTED: (
        "is locked with a password",
        "are locked with a password",
        "Make the zip again without a password.",
    ),
    Refusal.ARCHIVE_BOMB: (
        "unpacks to far more than a photo can",
        "unpack to far more than photos can",
        "Leave them out of the zip.",
    ),
    Refusal.DAMAGED_ARCHIVE: (
        "is damaged inside the zip",
        "are damaged inside the zip",
        "Make the zip again from the original photos.",
    ),
}
