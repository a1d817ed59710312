"""04: the rows of the paper's Table 1, the baselines that it lacks, and the same tuned."""

from collections.abc import Sequence
from dataclasses import replace

from ..models.rating.bias import GlobalMeanConfig, UserItemBiasConfig
from ..models.rating.biased_svd import BiasedSVDConfig
from ..models.rating.bonmf import BoNMFConfig
from ..models.rating.bonmf_plus import BoNMFPlusConfig
from ..models.rating.deepfm import DeepFMConfig
from ..models.rating.early_fusion import EarlyFusionConfig
from ..models.rating.fm import FMConfig
from ..models.rating.svd import SVDConfig
from ..models.rating.svdpp import SVDppConfig
from ..models.rating.tensor_fusion import TensorFusionConfig
from ..models.rating.wide_deep import WideDeepConfig
from ..runs.run import Run
from ..runs.variant import Variant
from .protocols import (
    closed_form,
    control_rows,
    fixed_epochs,
    searched_widely,
    tuned,
    with_content,
)
from .search_spaces import SPACES

ON_FRESH_SPLITS = "tuned on fresh splits"  # the protocol of :func:`fresh_rows`


def table1_rows(run: Run) -> list[Variant]:
    """The paper's seven rows, then the baselines that it lacks."""
    bonmf, cnn = BoNMFConfig(), run.settings.encoders.cnn
    ids_only = BoNMFConfig(modalities=())
    return [
        fixed_epochs(run, "BoNMF", "bonmf", bonmf),
        fixed_epochs(run, "NMD (ID only)", "bonmf", ids_only),
        closed_form("SVD", "svd", SVDConfig()),
        fixed_epochs(run, "Tensor product", "tensor-fusion", TensorFusionConfig()),
        fixed_epochs(run, "Text Early Fusion", "early-fusion", EarlyFusionConfig()),
        fixed_epochs(run, "CNN-based", "bonmf", bonmf, image_encoder=cnn),
        fixed_epochs(run, "BoNMF, no picture", "bonmf", BoNMFConfig(modalities=("text",))),
        fixed_epochs(run, "BoNMF, no text", "bonmf", BoNMFConfig(modalities=("image",))),
        closed_form("Global mean", "global-mean", GlobalMeanConfig()),
        closed_form("User + item bias", "user-item-bias", UserItemBiasConfig()),
        fixed_epochs(run, "Biased SVD", "biased-svd", BiasedSVDConfig()),
        fixed_epochs(run, "SVD++", "svd++", SVDppConfig()),
        fixed_epochs(run, "FM", "fm", FMConfig()),
        fixed_epochs(run, "Wide & Deep", "wide-deep", WideDeepConfig()),
        fixed_epochs(run, "DeepFM", "deepfm", DeepFMConfig()),
    ]


def native_rows(run: Run) -> list[Variant]:
    """The rows of :func:`table1_rows` that read texts or pictures, at the encoders' own scale; then
    the same on shuffled ones, every item with another's."""
    rows = [
        replace(row.prepared("native"), name=f"{row.name}, native")
        for row in with_content(table1_rows(run))
    ]
    return rows + control_rows(run, rows, ("shuffled",))


def fullest_row(rows: Sequence[Variant]) -> Variant:
    """BoNMF as the paper has it, or the row of the paper's table that is nearest to it among those
    that data allow."""
    by_name = {row.name: row for row in rows}
    return next(
        by_name[name] for name in ("BoNMF", "BoNMF, no picture", "NMD (ID only)") if name in by_name
    )


def initialisations_row(run: Run, row: Variant) -> Variant:
    """A row from several initial weights on one split: what of a difference between runs is not the
    split's."""
    members = run.settings.comparison.ensemble_members
    return replace(row, name=f"{row.name}, {members} initial weights", members=members)


def tuned_rows(run: Run) -> list[Variant]:
    """Every row of :func:`table1_rows` that has something to tune."""
    return [tuned(run, variant) for variant in table1_rows(run) if variant.model in SPACES]


def best_rows(run: Run) -> list[Variant]:
    """What we would build instead: one network, and the mean of several from the same search."""
    single = tuned(run, fixed_epochs(run, "BoNMF+", "bonmf+", BoNMFPlusConfig()))
    return [single, _averaged(run, single)]


def averaged_rivals(run: Run) -> list[Variant]:
    """Means of as many factorisations, searched for alike: what our own mean is compared with."""
    rows = {row.name: row for row in tuned_rows(run)}
    return [_averaged(run, rows[name]) for name in ("Biased SVD", "SVD++")]


def shuffled_rows(run: Run) -> list[Variant]:
    """BoNMF and our own network on other items' content, searched for as on the right one."""
    rows = {row.name: row for row in tuned_rows(run)}
    return control_rows(run, [rows["BoNMF"], best_rows(run)[0]], ("shuffled",))


def fresh_rows(run: Run) -> list[Variant]:
    """The best network, which starts from native features, and its strongest rivals, searched over
    wide ranges for splits by which nothing was chosen; then the network on other items' content."""
    ours = fixed_epochs(run, "BoNMF+", "bonmf+", BoNMFPlusConfig()).prepared("native")
    rivals = [row for row in table1_rows(run) if row.model in ("biased-svd", "svd++")]
    fresh = run.settings.tuning.fresh
    rows = [searched_widely(run, row, fresh, ON_FRESH_SPLITS) for row in (ours, *rivals)]
    return rows + control_rows(run, rows, ("shuffled",))


def fresh_network_rows(run: Run) -> list[Variant]:
    """The paper's network on IDs, with texts, and with both, which start from native features,
    searched as widely on the same splits; then those with content on other items'."""
    rows = {row.name: row for row in table1_rows(run)}
    texts, both = (rows[name].prepared("native") for name in ("BoNMF, no picture", "BoNMF"))
    searched = [
        searched_widely(run, row, run.settings.tuning.fresh, ON_FRESH_SPLITS)
        for row in (rows["NMD (ID only)"], texts, both)
    ]
    return searched + control_rows(run, searched, ("shuffled",))


def _averaged(run: Run, row: Variant) -> Variant:
    members = run.settings.comparison.ensemble_members
    return replace(row, name=f"{row.name}, {members} members", members=members)
