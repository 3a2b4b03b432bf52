"""The names of the networks, for those who must not load torch; a test holds them to `engine.models`."""

MODEL_NAMES = (
    "attention_resunet",
    "context_cracknet",
    "crack_segmenter",
    "crackformer",
    "jtfn",
    "smp_deeplabv3",
    "smp_deeplabv3plus",
    "smp_fpn",
    "smp_linknet",
    "smp_manet",
    "smp_pan",
    "smp_pspnet",
    "smp_segformer",
    "smp_unet",
    "smp_unetplusplus",
    "smp_upernet",
    "tv_fcn",
)
