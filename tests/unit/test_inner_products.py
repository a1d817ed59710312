"""He et al.'s four users: their similarities, and which latent spaces hold their order."""

import numpy as np
import pytest

from bonmf_lib.studies.inner_products import (
    BY_USER,
    EVERYTHING,
    HELD,
    PAIRS,
    SPACES,
    Fit,
    asked_orders,
    fit_order,
    jaccard,
    least_dimensions,
    limits_sentence,
    order_table,
)

SPACE = {space.name: space for space in SPACES}
QUADRANT = SPACE["non-negative cosine"]


def test_the_six_similarities_are_the_papers():
    expected = {"2-3": 2 / 3, "1-4": 0.6, "1-2": 0.5, "1-3": 0.4, "3-4": 0.4, "2-4": 0.2}
    assert jaccard().to_dict() == pytest.approx(expected)
    assert jaccard().is_monotonic_decreasing


def test_equal_similarities_ask_for_no_order():
    everything, by_user = asked_orders(EVERYTHING), asked_orders(BY_USER)
    assert len(everything) == 15 - 1
    assert len(by_user) == 4 * 3 - 1
    assert set(by_user) < set(everything)


@pytest.mark.parametrize("name", SPACE)
def test_what_is_held_is_proven_by_the_vectors(name):
    """Orders, lengths and signs, computed again without the library."""
    space = SPACE[name]
    found = fit_order(space, 3, starts=16)
    vectors = found.vectors
    near = (
        [-np.linalg.norm(vectors[one] - vectors[other]) for one, other in PAIRS]
        if name == "Euclidean distance"
        else [vectors[one] @ vectors[other] for one, other in PAIRS]
    )
    scaled = np.array(near) / np.abs(near).max()
    assert scaled == pytest.approx(found.similarities)
    gaps = [scaled[a] - scaled[b] for a, b in asked_orders(EVERYTHING)]
    assert sum(gap < HELD for gap in gaps) == found.violations(EVERYTHING)
    assert space.equal <= np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert space.positive <= bool((vectors >= 0).all())


def test_the_papers_figure_needs_equal_lengths_and_no_negative_similarity():
    """Within a quarter of the circle nothing was found; on the whole circle, or with lengths of
    their own, a plane holds all six."""
    table = order_table((1, 2), starts=32)
    plane = table[table["dimensions"] == 2].set_index(["what", "space"])["violations"]
    assert plane[EVERYTHING][QUADRANT.name] > 0
    assert (plane[EVERYTHING].drop(QUADRANT.name) == 0).all()
    assert (plane[BY_USER] <= plane[EVERYTHING]).all()


def test_users_on_a_circle_by_hand():
    """Angles that hold every order: the fit's finding does not hang on the fit."""
    angles = np.radians([0, 100, 160, -80])
    similarity = [np.cos(angles[one] - angles[other]) for one, other in PAIRS]
    assert all(similarity[a] > similarity[b] for a, b in asked_orders(EVERYTHING))


def test_a_quarter_of_the_circle_holds_no_order_of_all_six():
    """By brute force over angles: one user may be taken to stand first."""
    steps = np.radians(np.linspace(0, 90, 31))
    angles = np.stack(np.meshgrid(*[steps] * 4, indexing="ij"), -1).reshape(-1, 4)
    similarity = np.stack([np.cos(angles[:, one] - angles[:, other]) for one, other in PAIRS], 1)
    orders = np.array(asked_orders(EVERYTHING))
    held = similarity[:, orders[:, 0]] > similarity[:, orders[:, 1]] + 1e-9
    assert held.sum(1).max() == len(orders) - fit_order(QUADRANT, 2).violations(EVERYTHING)


def test_orders_that_a_plane_does_not_hold_are_named():
    """1-4 is put above 2-3, and 2-4 above all others but these two."""
    asked = dict(zip(("1-2", "1-3", "1-4", "2-3", "2-4", "3-4"), (5, 4, 6, 7, 2, 4), strict=True))
    held = Fit(np.zeros((4, 2)), np.array(list(asked.values())) / 7)
    assert held.violated(EVERYTHING) == [] and held.violations(EVERYTHING) == 0
    asked |= {"1-4": 8, "2-4": 5.5}
    broken = Fit(np.zeros((4, 2)), np.array(list(asked.values())) / 8)
    assert set(broken.violated(EVERYTHING)) == {
        "2-3 over 1-4", "1-2 over 2-4", "1-3 over 2-4", "3-4 over 2-4",
    }  # fmt: skip
    assert broken.violations(EVERYTHING) == 4


def test_sentence_names_what_a_plane_holds():
    table = order_table((1, 2), [QUADRANT, SPACE["dot product"]], starts=32)
    assert least_dimensions(table)["dot product"] == 2
    assert limits_sentence(table) == (
        "Two dimensions hold the order by dot product. "
        "More are needed by non-negative cosine (none tried)."
    )


def test_fits_are_repeated_exactly():
    one, again = (fit_order(SPACE["dot product"], 2, starts=4) for _ in range(2))
    assert np.array_equal(one.vectors, again.vectors)
