"""What looks like protected health information is found; what clinical text is full of is not."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from clinsynth.audit import canary
from clinsynth.core.errors import UserError
from clinsynth.text import phi

# Written by hand for this test: nobody here exists. Kind of each finding that must be made, and the sentence.
PLANTED: tuple[tuple[str, str], ...] = (
    ("name", "Mr. John Carter was seen in the clinic for chest pain."),
    ("name", "Mrs. Delgado-Reyes reports no fever."),
    ("name", "I discussed the plan with Dr. Patel, who agrees."),
    ("name", "Ms. O'Neill takes lisinopril 10 mg daily."),
    ("name", "Dr . Okafor removed the sutures ."),
    ("name", "Robert L. Jensen presented with dyspnoea on exertion."),
    ("name", "The history was given by his wife, Maria Gonzalez."),
    ("name", "Patient name: Whitfield, aged 54."),
    ("name", "Attending: Huang, Li"),
    ("name", "Electronically signed, Priya Raman, MD"),
    ("name", "Thomas Brightwater was started on warfarin."),
    ("name", "Referred by: Stone, Rachel"),
    ("name", "Nurse Abernathy drew the blood at 6 am."),
    ("name", "Prof. Lindqvist reviewed the slides."),
    ("name", "Susan Marie Albright is a 61-year-old woman with COPD."),
    ("date", "He was admitted on March 3, 2019 with pneumonia."),
    ("date", "DOB: 04/17/1962, lives alone."),
    ("date", "Date of birth 4/17/62."),
    ("date", "Discharge date: 2021-08-30."),
    ("date", "She was last seen on 12 November 2020 for follow-up."),
    ("date", "The patient died on 05/06/2018 of septic shock."),
    ("date", "Seen 11.02.2022 in the emergency room."),
    ("date", "His biopsy on July 9 showed no malignancy."),
    ("date", "12 / 05 / 2019 : vital signs stable ."),
    ("phone", "Please call 617-555-0142 with the result."),
    ("phone", "Her daughter can be reached at (415) 555-0199."),
    ("phone", "Contact number +44 20 7946 0958 for the pharmacy."),
    ("phone", "Fax: 212.555.0173"),
    ("phone", "Pager 555 0134 55"),
    ("phone", "Tel 0171 555 0123 before noon."),
    ("email", "Send records to j.carter@example.org today."),
    ("email", "write to maria . gonzalez@mail . example . com"),
    ("email", "Portal login: tbright_62@hospital-example.net"),
    ("record-number", "MRN: 00482917"),
    ("record-number", "Medical record number 4471-09283 was merged."),
    ("record-number", "Patient ID A93847265 admitted through the ED."),
    ("record-number", "Insurance no. XJH-829-44821 on file."),
    ("record-number", "Account number: 5529184"),
    ("record-number", "NHS number 943 476 5919".replace(" 476 ", "476")),
    ("ssn", "SSN 219-09-9999 on the intake form."),
    ("ssn", "Social security number: 078051120"),
    ("ssn", "Identity was checked against 457-55-5462."),
    ("address", "She lives at 1420 Maple Avenue with her son."),
    ("address", "Home: 88 N. Cedar St., Apt 4"),
    ("address", "moved to Springfield, IL 62704 last year"),
    ("address", "Mail goes to P.O. Box 2210."),
    ("age-over-89", "A 93-year-old woman with hip fracture."),
    ("age-over-89", "This 101 year old man lives independently."),
    ("age-over-89", "Age: 95, ambulant with a frame."),
    ("ip-address", "The portal was opened from IP address 192.0.2.17."),
)
CLEAN: tuple[str, ...] = (
    "Parkinson's disease and Alzheimer's disease share some features.",
    "Patients with Crohn disease or Hodgkin lymphoma were excluded.",
    "Sjögren's syndrome, Hashimoto thyroiditis and Graves ' disease were found.",
    "The Charcot-Marie-Tooth disease gene maps to 17p11.2.",
    "Martin Bell syndrome is another name of fragile X syndrome.",
    "An Austin Flint murmur was heard at the apex.",
    "Patients of the Johns Hopkins Hospital and the Henry Ford Hospital took part.",
    "Fragment of the Thomas Jefferson University study group.",
    "Treatment with May-Hegglin anomaly may need platelets.",
    "It may 10 fold increase the risk.",
    "In May 2010 a new trial began.",
    "The study ran from January 2010 to December 2015.",
    "Smith et al. (1998) and Jones, 2004, came to the same result.",
    "On March 11, 2020, the WHO declared a pandemic.",
    "Data were collected between 1 March 2020 and 31 May 2020.",
    "Patients were enrolled from 01/03/2020 to 11/05/2020.",
    "p < 0.05, OR 1.84 (95% CI 1.10-3.07), n = 617-712",
    "Blood pressure was 120/80 mmHg, heart rate 72, SpO2 98 %.",
    "Sodium 138, potassium 4.2, creatinine 1.1 mg/dl, WBC 10.4.",
    "Doses of 10/20/40 mg were compared.",
    "Grade 1/2/3 toxicity occurred in 12/5/3 patients.",
    "CAS 50-78-2 and 103-90-2 were bought from Sigma.",
    "Registered as NCT01234567 and ISRCTN12345678.",
    "The enzyme EC 1.14.13.39 makes nitric oxide.",
    "Adults aged 65-95 years and those over 90 years old were compared.",
    "Subjects >= 90-year-old and older were few.",
    "The 95% confidence interval and the 90th percentile are shown.",
    "Rats received 100 mg/kg on day 14 and 200 mg/kg on day 21.",
    "Lou Gehrig's disease progressed over 24 months.",
    "Sr 90 exposure and MS imaging at 3 T were studied.",
    "MR # of lesions; 3-5-7 mm apart.",
    "Mutation 1100delC in exons 5-10, amplicon 555-1234.",
    "Cell 123 4567 of the microarray was empty.",
    "The @CHEMICAL$-induced @DISEASE$ resolved.",
    "St. Jude 1998 protocol, CA 15-3 and CA 19-9 levels, IL 10 and IN 2000.",
    "Wilson disease, Down syndrome, Raynaud phenomenon and Bell palsy.",
)


def kinds(text: str) -> set[str]:
    return {hit.kind for hit in phi.find_phi(text) if hit.strength == "strong"}


@pytest.mark.parametrize(("kind", "text"), PLANTED, ids=lambda value: str(value)[:40])
def test_planted_identifiers_are_found(kind: str, text: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize("text", CLEAN, ids=lambda value: value[:40])
def test_clinical_text_raises_no_alarm(text: str) -> None:
    assert kinds(text) == set()


def test_every_kind_is_planted() -> None:
    assert Counter(kind for kind, _ in PLANTED).keys() == {pattern.kind for pattern in phi._PATTERNS}  # pyright: ignore[reportPrivateUsage]


def test_a_date_of_nobody_is_weak() -> None:
    (hit,) = phi.find_phi("On March 11, 2020, the WHO declared a pandemic.")
    assert (hit.kind, hit.strength) == ("date", "weak")


def test_findings_point_into_the_joined_text() -> None:
    text = "Dr . Okafor removed it ."
    (hit,) = phi.find_phi(text)
    assert phi.join(text)[hit.start : hit.end] == "Dr. Okafor"


def test_canaries_are_found_whole_changed_and_in_part() -> None:
    lines, hashes = canary.make(5)
    words = lines[2].split()
    whole = f"The patient said: {lines[2].upper()}."
    spaced = "The patient said " + " , ".join(words)
    dropped = "said " + " ".join(words[:2] + words[3:])
    part = f"and {words[4]} - {words[5]} was heard"
    shuffled = " and then it was ".join([words[0], words[2], words[4]])
    assert [(s.canary, s.exact) for s in canary.look([whole], hashes)] == [(3, True)]
    assert [(s.canary, s.exact) for s in canary.look([spaced], hashes)] == [(3, True)]
    assert [(s.canary, s.exact) for s in canary.look([dropped], hashes)] == [(3, False)]
    assert [(s.canary, s.pairs) for s in canary.look([part], hashes)] == [(3, 1)]
    assert canary.look([shuffled, "no canary in this sentence"], hashes) == []
    assert canary.look(canary.make(5)[0], hashes) == []


def test_canaries_differ_and_their_hashes_give_nothing_away() -> None:
    lines, hashes = canary.make(200)
    text = hashes.model_dump_json()
    assert len({word for line in lines for word in line.split()}) == 200 * canary.WORDS
    assert not any(word in text for line in lines for word in line.split())
    assert len({digest for own in hashes.canaries for digest in own}) == 200 * (canary.WORDS - 1)


def test_planting_never_overwrites(tmp_path: Path) -> None:
    planted = canary.plant(tmp_path / "new", 3)
    assert canary.read_hashes(tmp_path / "new" / canary.HASHES_FILE) == planted
    assert (tmp_path / "new" / canary.SECRETS_FILE).stat().st_mode & 0o077 == 0
    with pytest.raises(UserError, match="exists"):
        canary.plant(tmp_path / "new", 3)
    with pytest.raises(UserError, match="no canary"):
        canary.plant(tmp_path / "other", 0)


def test_bad_hash_files_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"canaries": 3}')
    for path in (bad, tmp_path / "none.json"):
        with pytest.raises(UserError, match=path.name):
            canary.read_hashes(path)


def test_no_canary_is_found_by_chance(rng: np.random.Generator) -> None:
    _, hashes = canary.make(50)
    noise = [" ".join("".join(rng.choice(list("bkmaeiou"), 10)) for _ in range(30)) for _ in range(50)]
    assert canary.look(noise, hashes) == []
