"""A box whose companion may open the car by a grant: what the owner may do with it all the same."""

import pytest

from app.cars import box as boxes
from app.cars import rotate, stolen
from app.facts import CarStolen
from app.kit.errors import InUse
from app.rentals import grants_out, offline_receipts
from tests.rentals.garage import Garage


def test_a_box_with_a_grant_out_changes_its_password_and_is_cut_when_stolen(garage: Garage) -> None:
    """The companion beside it stays what it is: its own network brings it the list, and a grant that is out is covered."""
    garage.fetched()
    owner, car = garage.scene.olga.id, garage.scene.car_id
    assert rotate.rotate(owner, car)[1]
    with pytest.raises(InUse):
        boxes.remove(owner, car)
    stolen.report_stolen(owner, car)
    grants_out.of_barred_car(CarStolen(car, by=owner))
    assert boxes.live(car) is None
    garage.do("unlock")
    listed = offline_receipts.upload_by_box(garage.phone.records)[1]
    assert listed is not None
    assert [one.state for one in garage.covers()] == ["active"]
