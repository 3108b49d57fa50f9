"""What speaks of a patient is refused, what hospitals write every day is not."""

import time

import pytest

from perinat_sched.confidentiality import refuse_health_data
from perinat_sched.errors import HealthDataSuspected

CERTAIN = {
    "NIR in one go": ("Dossier 2840559350012", "social-security-number"),
    "NIR with its key": ("Dossier 284055935001255", "social-security-number"),
    "NIR as it is printed": ("n° SS 2 84 05 59 350 012 55", "social-security-number"),
    "the specimen of every health card": ("2 69 05 49 588 157 80", "social-security-number"),
    "the NIR of the textbooks": ("1 84 12 76 451 089 46", "social-security-number"),
    "NIR with dots": ("2.84.05.59.350.012.55", "social-security-number"),
    "NIR with mixed separators": ("2-84 05.59/350.012.55", "social-security-number"),
    "NIR with no-break spaces": ("2\u00a084\u202f05\u00a059\u00a0350\u2009012", "social-security-number"),
    "NIR in full-width digits": ("２８４０５５９３５００１２", "social-security-number"),
    "NIR in Arabic digits": ("٢٨٤٠٥٥٩٣٥٠٠١٢", "social-security-number"),
    "NIR with hidden characters": ("284\u200b0559\ufeff350\u00ad012", "social-security-number"),
    "NIR over two lines": ("2 84 05 59\n350 012", "social-security-number"),
    "NIR after another number": ("Salle 3 2 84 05 59 350 012", "social-security-number"),
    "NIR before another number": ("2 84 05 59 350 012 2027", "social-security-number"),
    "NIR after letters": ("NIR2840559350012", "social-security-number"),
    "NIR of Corse-du-Sud": ("1 85 07 2A 004 123", "social-security-number"),
    "NIR of Haute-Corse with its key": ("1 85 07 2B 033 123 21", "social-security-number"),
    "provisional NIR": ("8 84 05 59 350 012", "social-security-number"),
    "NIR with its key in odd groups": ("284 0559 3500 1255", "social-security-number"),
    "NIR of an unknown month, with its key": ("2 84 33 59 350 012 18", "social-security-number"),
    "IPP": ("IPP 8001234567", "patient-number"),
    "IPP with a colon": ("ipp : 800123", "patient-number"),
    "IPP with n°": ("IPP n° 8 001 234", "patient-number"),
    "IPP of the patient": ("IPP de la patiente : 123456", "patient-number"),
    "IPP with dots": ("I.P.P. 800123", "patient-number"),
    "IPP in a link": ("https://dpi.example/dossier?ipp=800123", "patient-number"),
    "née le": ("née le 12/05/1984", "date-of-birth"),
    "né le, in words": ("Enfant né le 3 mai", "date-of-birth"),
    "née le jeudi": ("née le jeudi 12 mai 2027", "date-of-birth"),
    "né(e) le": ("né(e) le 12.05.84", "date-of-birth"),
    "née without accent": ("nee le 12 05 1984", "date-of-birth"),
    "NÉE in capitals": ("NÉE LE 12/05/1984", "date-of-birth"),
    "nés le: twins": ("nés le 1er avril 2027", "date-of-birth"),
    "maiden name between": ("née Martin le 12/05/1984", "date-of-birth"),
    "place between": ("né à Lens le 12/05/1984", "date-of-birth"),
    "née without le": ("née 12/05/1984", "date-of-birth"),
    "DDN": ("DDN : 12/05/1984", "date-of-birth"),
    "DDN in one go": ("DDN 12051984", "date-of-birth"),
    "DDN in ISO": ("ddn 1984-05-12", "date-of-birth"),
    "date de naissance": ("Date de naissance : 12 mai 1984", "date-of-birth"),
    "date of birth": ("date of birth: May 12, 1984", "date-of-birth"),
    "born on": ("Born on the 12th of May 1984", "date-of-birth"),
}

POSSIBLE = {
    "Mme X": ("Staff : dossier de Mme X", "name"),
    "Mme Dupont": ("Cas de Mme Dupont", "name"),
    "mme in lower case": ("avis pour mme dupont", "name"),
    "MME in capitals": ("MME DUPONT", "name"),
    "Mlle": ("Mlle Martin", "name"),
    "M. and a letter": ("M. D.", "name"),
    "M. and a name": ("Échographie de M. Dupont", "name"),
    "M. with an article in the name": ("Avis pour M. Le Gall", "name"),
    "Madame": ("Madame Lefebvre, 3e grossesse", "name"),
    "Mrs": ("Mrs. Smith", "name"),
    "patiente": ("la patiente Dupont", "name"),
    "bébé": ("bébé Dupont", "name"),
    "Mme and M.": ("Mme et M. Caron", "name"),
    "weeks": ("Discussion à 32 SA", "term"),
    "weeks without space": ("MAP à 28SA", "term"),
    "weeks in lower case": ("suivi à 32 sa", "term"),
    "weeks and days": ("32+4 SA", "term"),
    "weeks, then days": ("32 SA + 4", "term"),
    "weeks with dots": ("32 S.A.", "term"),
    "weeks in words": ("32 semaines d’aménorrhée", "term"),
    "weeks of pregnancy": ("grossesse de 32 semaines", "term"),
    "weeks in English": ("32 weeks of gestation", "term"),
    "terme": ("Terme : 32+4", "term"),
    "T21": ("Diagnostic de T21", "disease"),
    "T21 in a review": ("RMM T21", "disease"),
    "trisomie 21": ("Suspicion de trisomie 21", "disease"),
    "trisomie with a hyphen": ("trisomie-13", "disease"),
    "trisomy in English": ("trisomy 18", "disease"),
    "initials": ("Dossier A.B.", "initials"),
    "initials without a space": ("Avis pour D.M.", "initials"),
    "initials with a space": ("Cas de A. B. à revoir", "initials"),
    "initials without the last dot": ("Cas A.B", "initials"),
    "initials of a compound name": ("J.-P. est attendu", "initials"),
    "initials, said so": ("initiales : AB", "initials"),
}

ORDINARY = {
    "nothing": "",
    "neutral title": "Visio Périnat — CPDPN hebdo",
    "telephone with prefix": "Rappeler le 00 33 3 20 44 59 62",
    "telephone with +": "+33 3 20 44 59 62",
    "telephone with (0)": "+33 (0)3.20.44.59.62",
    "telephone in one go": "0320445962 ou 0033320445962",
    "two telephones": "03 20 44 59 62 06 12 34 56 78",
    "telephone with an extension": "03.20.44.59.62 poste 34512",
    "telephone in Québec": "+1 514 345-4931, 001 514 345 4931",
    "telephone with many digits": "+284055935001255",
    "telephone link": "tel:+33320445962",
    "RPPS": "RPPS 10003456789",
    "FINESS": "FINESS 590006607 et 620000257",
    "SIRET": "SIRET 267 805 123 00012",
    "SIP": "sip:2840559350012@visio.example",
    "E.164": "GDS 0033 320 445 962 001",
    "H.323": "H.323 : 10.1.2.3##2840",
    "Zoom": "ID 123 456 7890",
    "Zoom with 11 digits": "ID de réunion : 812 3456 7890",
    "Teams": "ID de la réunion : 228 318 934 516 1",
    "Teams in one go": "Réunion Teams : 2281189345161",
    "meeting link": "https://visio.example/j/2840559350012",
    "e-mail address": "M.Dupont@lille.example, a.b@lens.example",
    "15 digits with a wrong key": "2 84 05 59 350 012 09",
    "13 digits without a month": "Code 2841359350012",
    "article number": "EAN 4006381333931",
    "IBAN": "FR76 3000 6000 0112 3456 7890 189",
    "timestamps": "2027-03-18T15:00 → 2027-03-18T16:00",
    "IPP, the drug": "Formation sur les IPP",
    "née in another sense": "Une idée née en réunion",
    "date": "Séance du 12/05/2027 à 14 h",
    "month in words": "Pas de staff le 11 novembre",
    "Dr": "Dr Martin, Pr Dupont et Dre Roy",
    "Dr with first names": "Dr A. B. Martin",
    "Dr with a first name": "Dr M. Roy, Pr. M. Caron",
    "Mme la présidente": "Mme la présidente ouvrira la séance",
    "M. le directeur": "En présence de M. le directeur et de Mme la Directrice",
    "titles in capitals": "MME LA PRÉSIDENTE, M. LE MAIRE",
    "Mme le Dr": "Mme le Dr Martin",
    "Madame, Monsieur": "Madame, Monsieur, la séance est reportée",
    "the company": "Prestataire : Orange SA, Lille",
    "sa, the possessive": "À 15 h 30 sa présentation, à 16 h la suite",
    "quarter": "Bilan T2 2027, puis T3",
    "weeks of a course": "Formation de 32 semaines",
    "room": "Salle 32",
    "count": "Réunion à 32 sites, 12 ports",
    "CPDPN": "CPDPN, RCP, RMM et C.H.U.",
    "CH": "C.H. de Seclin",
    "MS Teams": "Lien MS Teams, Ms Teams",
    "levels": "Maternités de type IIA, IIB et III",
    "patient in general": "Sécurité du patient, parcours patient",
    "acronym with dots": "R.C.P. du S.A.M.U. et M.C.U.-P.H.",
    "time with dots": "9 A.M.",
    "N.B.": "N.B. : apporter le câble",
    "bridge": "Pont mcu-lille, 1 920 × 1 080, 2 Mbit/s",
}


def _found(text: str, *, known: tuple[str, ...] = (), confirmed: bool = False) -> HealthDataSuspected | None:
    try:
        refuse_health_data({"title": text}, known=known, confirmed=confirmed)
    except HealthDataSuspected as suspicion:
        return suspicion
    return None


@pytest.mark.parametrize(("text", "kind"), CERTAIN.values(), ids=CERTAIN)
def test_a_certain_mark_is_refused_with_the_way_out_even_when_confirmed(text, kind):
    for confirmed in (False, True):
        suspicion = _found(text, confirmed=confirmed)
        assert suspicion is not None
        assert (suspicion.field, suspicion.pattern, suspicion.certain) == ("title", kind, True)
        assert "MSSanté" in suspicion.message.text


@pytest.mark.parametrize(("text", "kind"), POSSIBLE.values(), ids=POSSIBLE)
def test_a_possible_mark_is_refused_once_and_accepted_when_confirmed(text, kind):
    suspicion = _found(text)
    assert suspicion is not None
    assert (suspicion.field, suspicion.pattern, suspicion.certain) == ("title", kind, False)
    assert "no_patient_data" in suspicion.message.text
    assert _found(text, confirmed=True) is None


@pytest.mark.parametrize("text", ORDINARY.values(), ids=ORDINARY)
def test_what_hospitals_write_every_day_passes(text):
    assert _found(text) is None


@pytest.mark.parametrize("text", [text for text, _ in (*CERTAIN.values(), *POSSIBLE.values())])
def test_an_error_never_repeats_the_text(text):
    suspicion = _found(text)
    assert suspicion is not None
    assert suspicion.message.values == {"field": "title"}
    assert text not in str(suspicion)


def test_a_certain_mark_in_any_field_goes_before_a_possible_one():
    with pytest.raises(HealthDataSuspected) as caught:
        refuse_health_data({"title": "Mme X", "description": "IPP 800123"}, known=(), confirmed=False)
    assert (caught.value.field, caught.value.pattern) == ("description", "patient-number")


@pytest.mark.parametrize(
    ("text", "known"),
    {
        "a person's whole name": ("Mme Claire Dupont présidera", "Claire Dupont"),
        "a person's last name": ("Mme Dupont présidera", "Dupont"),
        "a person in another case": ("Mme CLAIRE DUPONT", "Claire Dupont"),
        "a person with an accent less": ("Mme Helene Roy", "Hélène Roy"),
        "a title": ("Report de « Staff T21 »", "Staff T21"),
        "a site": ("Clinique Mme de Sévigné", "Clinique Mme de Sévigné"),
        "a room with a number": ("Salle 2840559350012", "Salle 2840559350012"),
    }.values(),
)
def test_known_people_and_titles_never_trigger(text, known):
    assert _found(text) is not None
    assert _found(text, known=(known, "", " ", "autre")) is None


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Mme Dupont", "Dupond"),
        ("Mme Dupontel", "Dupont"),
        ("Avis pour Mme X", "me"),
        ("Salle 3 2840559350012", "Salle 3"),
        ("T21 de Mme X", "e"),
        ("IPP 800123", "8"),
    ],
)
def test_known_names_do_not_hide_what_stands_beside_them(text, known):
    assert _found(text, known=(known,)) is not None


@pytest.mark.parametrize(
    "unit",
    ["1", "1 ", "2840559350012 ", "2 84 05 59 350 012 99 ", "a", "A.", "A.B", "M. ", "Mme ", "née ", "née A ", "IPP ",
     "IPP n° ", "32+", "32 ", "+", "@", "a@", "http:", "http://a ", " ", "\n", "é", "٢", "T", "initiale ", "né à "],
    ids=repr,
)  # fmt: skip
def test_a_long_text_is_read_in_linear_time(unit):
    text = (unit * 100_000)[:100_000]
    before = time.process_time()
    _found(text, known=("Claire Dupont", "Visio Périnat — staff", "a", "1"))
    assert time.process_time() - before < 1  # seconds; a tenth of it when nothing else runs
