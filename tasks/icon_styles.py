"""Icons in twelve sets, each of other artists: which of ten kinds of thing is it, in a set never seen?

An icon's concept is what its name says, in words of the list below; a concept is a group, and the split is by
concept and the same in every set, so a test icon of a held-out set shows a thing that no training icon shows.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import partial

from harness import Archives, Domain, Sample, Signature, Task
from harness.data.drawn.icons import IconSet, draw, read_icons
from harness.data.packages import tarball

SIDE = 32
MOST = 3
"""Icons of one concept in one set; those with the shortest names."""

WORDS = {
    "arrows": """
        arrow=arrows chevron=chevrons caret turn undo redo reply refresh=reload rotate sync swap exchange
        shuffle repeat=loop return transfer~ direction~ trending rewind recycle expand collapse
    """,
    "people": """
        user=users=person=people=account=accounts=avatar~ human~ man woman boy=girl=child=children baby
        hand=hands=palm finger=fingers fist thumb=thumbs ear=hearing eye=eyes nose mouth lips tongue brain
        bone tooth=teeth lung=lungs kidney stomach liver foot=feet footprint=footprints
        face=smiley=emoji=emoticon=emotion~ smile=happy=laugh sad cry angry wink beard mustache skull family
        team couple crowd wheelchair accessible walk=walking run=running swim=swimming hiking dance
        handshake clap gesture~ body head leg arm muscle mother=father pregnant elderly student nurse doctor
        farmer ninja detective astronaut
    """,
    "weather": """
        sun=sunny sunrise sunset moon cloud=clouds=cloudy=overcast
        rain=rainy=rainstorm=raindrop=raindrops=showers snow=snowy=snowing=blizzard snowflake snowman
        wind=windy windsock fog=foggy=mist haze hail sleet drizzle storm=thunder=thunderstorm=lightning
        tornado hurricane=cyclone=typhoon rainbow umbrella thermometer=temperature humidity droplet=droplets
        flood=tsunami=tide barometer frost icicle eclipse weather~ drought meteor comet planet galaxy earth
    """,
    "devices": """
        camera camcorder laptop=computer desktop phone=smartphone=telephone=cellphone printer=fax keyboard
        mouse monitor=display tv=television radio router=modem server speaker=subwoofer tablet
        headphones=headphone=headset=earbuds=earphone microphone=mic cpu=processor=chip memory=ram sim
        harddrive=disc=cd usb=hdmi webcam joystick gamepad=controller projector watch=smartwatch battery
        plug=outlet antenna satellite calculator scanner walkie cassette vinyl=turntable ethernet vr drone
        floppy pager circuit radar
    """,
    "food": """
        banana cherry=cherries lemon orange grape=grapes pear strawberry pineapple watermelon avocado carrot
        corn pepper=chili mushroom onion tomato potato broccoli salad egg=eggs bacon meat=steak sausage ham
        fish shrimp sushi rice noodles=ramen=spaghetti=pasta pizza burger=hamburger hotdog taco sandwich
        bread=baguette croissant donut=doughnut cake pie cookie cupcake candy=lollipop chocolate icecream
        popsicle popcorn cheese milk honey soup bowl plate=dish cup mug coffee tea teapot juice=soda beer
        wine cocktail=martini champagne whiskey bottle pretzel peanut acorn wheat food=meal=restaurant~
        fruit~ drink=drinks~ fork knife spoon utensils=cutlery chopsticks cooking~ pot grill=barbecue kebab
        fries waffle pancakes
    """,
    "transport": """
        airplane=plane=aeroplane=jet=flight takeoff landing helicopter car=cars=automobile=vehicle~ taxi
        limousine pickup bus train=railway=rail tram=subway=metro truck=lorry van=shuttle ambulance tractor
        bicycle=bike=cycling moped=scooter motorbike=motorcycle=motorcyclist boat=ship=ferry=cruise
        sailboat=yacht submarine canoe=kayak rocket caravan=rv cablecar=gondola forklift excavator=bulldozer
        engine wheel=tire=tyre=steering anchor road=highway parking garage fuel=gas traffic~ ufo sled
        rickshaw balloon parachute
    """,
    "buildings": """
        home=house=houses building=buildings~ apartment=skyscraper hotel hospital school=university
        bank=monument=courthouse church mosque synagogue temple=pagoda factory
        store=shop=storefront=kiosk=mall warehouse castle=fort city=town=village bridge tent library museum
        stadium theater=theatre lighthouse door=doors fence=gate stairs elevator escalator tower barn=farm
        cottage=hut=cabin=lodge igloo prison courtyard fountain brick=bricks chimney balcony bunker
        windmill greenhouse crane
    """,
    "documents": """
        file=files folder=folders book=books notebook=journal notepad=memo clipboard paperclip=attachment
        pen pencil note=notes receipt=invoice calendar=agenda=planner archive inbox outbox
        mail=mails=email=envelope briefcase stamp newspaper=news page=pages document=documents~
        bookmark=bookmarks binder eraser stapler scroll=script contract certificate=diploma passport mailbox
        postcard signature drawer=cabinet album quill highlighter
    """,
    "tools": """
        hammer wrench axe drill saw screwdriver shovel=trowel brush broom bucket bed chair=armchair
        sofa=couch lamp bath=bathtub toilet fridge=refrigerator oven microwave dishwasher washer fan
        extinguisher flashlight=torch key=keys lock=padlock toolbox=tools~ scissors ladder candle basket
        blender toaster kettle vacuum desk shelf=wardrobe hanger faucet plunger mop sponge soap towel pillow
        plier=pliers nail=nails screw bolt nut gear=gears=cog=cogs magnet compass pickaxe rake scythe
        crowbar anvil clamp bulb=lightbulb heater=radiator trash=bin hourglass clock=alarm bell safe=vault
        needle comb razor toothbrush
    """,
    "games": """
        ball~ basketball baseball football=rugby soccer golf tennis bowling volleyball cricket hockey=puck
        badminton billiards chess~ bishop king knight pawn queen rook dice=die spade=spades club=clubs
        poker=casino joker trophy=award medal=ribbon dumbbell=barbell gym=gymnastics boxing=karate
        ski=skiing=snowboard skate=skating skateboard=skateboarding surfing racket=racquet bat puzzle=jigsaw
        dart=darts=target=bullseye archery fencing=sword=swords kite yoyo toy lego ghost pacman domino
        frisbee fishing whistle podium stopwatch kayaking arcade
    """,
}
"""Class -> words that name a thing of it; the first of `a=b=c` is what they mean. One with ~ says little: it
makes no concept beside another word."""
TURNS = ("up", "down", "left", "right", "north", "south", "east", "west")
"""Words that tell concepts of arrows apart."""
OTHER = re.compile(
    r"logo|brand|piggy|musical|git|repo|code|api|music|apps?|microsoft|adobe|google|align|border|layout|letter|number|alpha"
    r"|text|watson|object|data"
)
"""Words in the names of icons that show something else than their nouns."""
CLASSES = tuple(WORDS)

SETS = {
    "bi": (
        "Bootstrap Icons",
        "MIT",
        "1.2.7",
        "86a7f213711c929169dbcd64318cd678a0845385156fc707401ba07cbde4da0d",
    ),
    "fa6-solid": (
        "Font Awesome 6 Solid by Fonticons",
        "CC BY 4.0",
        "1.2.4",
        "082c792eaad4751626438773fa7360cb23f495b687cf2dd01b2b0fccc7f6af8b",
    ),
    "fluent": (
        "Fluent UI System Icons by Microsoft",
        "MIT",
        "1.2.60",
        "9a7cad7adb15288c1fd5e2e1835f1b17f2a8764bb1f31971bffa7c9df1349d6d",
    ),
    "iconoir": (
        "Iconoir by Luca Burgio",
        "MIT",
        "1.2.11",
        "8e5d3bfbd55aa8ef3878f0c2f248cf71fe99822172fd07990e32ab7fe7a68b1e",
    ),
    "lucide": (
        "Lucide",
        "ISC",
        "1.2.137",
        "e74db8c3a55fff55bc82de21268c4bced9f65ff10aacc0d5f3a395b0e93243c3",
    ),
    "material-symbols-light": (
        "Material Symbols Light by Google",
        "Apache-2.0",
        "1.2.94",
        "b720dad80acabc2ab4312a67d31da70fc6e59a539aeb799b364f4dcb76800e7e",
    ),
    "mdi": (
        "Material Design Icons by Pictogrammers",
        "Apache-2.0",
        "1.2.3",
        "ddd817a7213f91de51147943915c0cda8c8b818a53c92b5c068cfa9883c6d7ac",
    ),
    "mingcute": (
        "MingCute Icon by MingCute Design",
        "Apache-2.0",
        "1.2.8",
        "fec65f4430ac70a968e0e7fc7741e7064ba91e6da992b905f75c9d70c717bd2c",
    ),
    "ph": ("Phosphor", "MIT", "1.2.2", "e3a582a047d9829fc7e8842c660d8065e598d1b68bb58cb68e75a1f1e5a614cc"),
    "ri": (
        "Remix Icon by Remix Design",
        "Apache-2.0",
        "1.2.10",
        "f7ab45281b250fb0bfa5c5438fc334f010cbf695f5ac851b90b296ef4674fb07",
    ),
    "solar": (
        "Solar by 480 Design",
        "CC BY 4.0",
        "1.2.13",
        "9efec9045e9188c5dd5cf9de52f8ad968ffabee565026480a6c74bfe63b3bbc2",
    ),
    "tabler": (
        "Tabler Icons by Pawel Kuna",
        "MIT",
        "1.2.41",
        "3bf99af156d28d05568aff524a35ed1ba238df640a7835a5e02e1f8e439685f6",
    ),
}
"""Set of @iconify-json -> title, licence, version and sha256."""
SKIPPED = {"fluent": re.compile(r"(?<!-24)-(filled|regular|light|color)$")}
"""Names that are left out: the same drawing in another size."""


def _vocabulary() -> dict[str, tuple[str, str, bool]]:
    """Returns word -> class, meaning, and whether it makes a concept of its own."""
    found = {}
    for name, words in WORDS.items():
        for group in words.split():
            meaning = group.partition("=")[0].rstrip("~")
            for word in group.split("="):
                found[word.rstrip("~")] = (name, meaning, not word.endswith("~"))
    return found


VOCABULARY = _vocabulary()


def concept_of(name: str) -> tuple[str, str] | None:
    """Returns class and concept of an icon by its name; None where it names nothing of one class alone."""
    words = [word for word in re.split("-+", name) if word]
    known = [VOCABULARY[word] for word in words if word in VOCABULARY]
    classes = {one for one, _, _ in known}
    if len(classes) != 1 or any(map(OTHER.fullmatch, words)):
        return None
    (found,) = classes
    telling = {meaning for _, meaning, is_telling in known if is_telling} or {
        meaning for _, meaning, _ in known
    }
    turns = {word.removesuffix("ward") for word in words}.intersection(TURNS) if found == "arrows" else set()
    return found, "-".join(sorted(telling | turns))


def split_of(concept: str) -> str:
    """Returns the split of a concept: two fifths are test, and a third of the rest validation."""
    number = zlib.crc32(concept.encode())
    if number % 5 < 2:
        return "test"
    return "validation" if number // 5 % 3 == 0 else "train"


def chosen(icons: IconSet, skipped: re.Pattern[str] | None) -> Iterator[tuple[str, str, str]]:
    """Yields (icon, class, concept), at most `MOST` icons of a concept."""
    taken: Counter[str] = Counter()
    for name in sorted(icons.bodies, key=lambda name: (len(name), name)):
        found = None if skipped and skipped.search(name) else concept_of(name)
        if found and taken[found[1]] < MOST:
            taken[found[1]] += 1
            yield name, *found


def _set(package: str, archives: Archives) -> Iterator[Sample]:
    """Yields icons in grey, light on black, no drawing twice."""
    icons = read_icons(archives[f"@iconify-json/{package}"])
    seen = set()
    for name, found, concept in chosen(icons, SKIPPED.get(package)):
        grey = draw(icons, name, SIDE)[: SIDE * SIDE]
        data = bytes(255 - value for value in grey)
        if data not in seen:
            seen.add(data)
            yield Sample(data, CLASSES.index(found), f"{split_of(concept)}/{concept}")


def _domain(package: str) -> Domain:
    title, licence, version, sha256 = SETS[package]
    return Domain(
        name=package.replace("-", "_"),
        origin=f"{title}, from @iconify-json/{package} {version}",
        licence=licence,
        groups="concept",
        read=partial(_set, package),
        archives=(tarball(f"@iconify-json/{package}", version, sha256),),
        fixed_splits=True,
    )


TASK = Task(
    summary="Name the kind of thing of an icon in an unseen set; grey 32 x 32; balanced accuracy.",
    signature=Signature(kind="image", classes=len(CLASSES), channels=1, height=SIDE, width=SIDE),
    metric="balanced_accuracy",
    chance=1 / len(CLASSES),
    domains=tuple(map(_domain, SETS)),
    sources=("mdi", "tabler", "lucide", "mingcute", "ri", "ph"),
    held_out=("bi", "fa6_solid", "fluent", "iconoir", "material_symbols_light", "solar"),
    class_names=CLASSES,
    shares_groups=True,
)
