from app.demo_cast import Actor
from app.supervisor import Supervisor


def test_olga_registers_confirms_signs_in_and_registers_her_phone(place: Supervisor) -> None:
    olga = Actor(place, "Olga Owner", signs=True).register()
    phones = olga.get("/me/phones")["items"]
    assert [phone["id"] for phone in phones] == [olga.phone]
    assert olga.get("/me")["email"] == olga.email
