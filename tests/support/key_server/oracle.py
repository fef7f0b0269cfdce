"""An independent view of SPEKE v2.0, on the Python package cpix: holds requests against the published schema and the
rules of SPEKE, and makes the answers that a key server would give.

Reads a request on standard input; writes JSON: what is wrong with it, the answer, and the keys in it by id.
"""

import base64
import hashlib
import json
import struct
import sys
import uuid
import warnings

warnings.simplefilter("ignore")

import cpix
from cpix.drm import playready, widevine
from lxml import etree

CPIX = "{urn:dashif:org:cpix}"
PSKC = "{urn:ietf:params:xml:ns:keyprov:pskc}"
WIDEVINE = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"
PLAYREADY = "9a04f079-9840-4286-ab92-e65be0885f95"
FAIRPLAY = "94ce86fb-07ff-4f43-adb8-93d2fa968ca2"
COMMON = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"
LICENSES = "https://licenses.example/playready"


def faults(root):
    """What is wrong with a request."""
    scheme_attribute = "commonEncryptionScheme"
    schemes = [key.get(scheme_attribute) for key in root.iter(CPIX + "ContentKey")]
    # The schema is that of CPIX 2.2; 2.3 added this one attribute.
    plain = etree.fromstring(etree.tostring(root))
    for key in plain.iter(CPIX + "ContentKey"):
        key.attrib.pop(scheme_attribute, None)
    valid, reason = cpix.validate(plain)
    if not valid:
        yield f"schema: {reason}"
    if root.get("version") != "2.3" or not root.get("contentId") or "id" in root.attrib:
        yield "the attributes of the root"
    for name in ["ContentKeyList", "DRMSystemList", "ContentKeyUsageRuleList"]:
        if len(root.findall(CPIX + name)) != 1 or not len(root.find(CPIX + name)):
            yield name
    if len(set(schemes)) != 1 or schemes[0] not in ("cenc", "cbcs", "cbc1"):
        yield scheme_attribute
    fairplay = any(system.get("systemId") == FAIRPLAY for system in root.iter(CPIX + "DRMSystem"))
    for key in root.iter(CPIX + "ContentKey"):
        vector = key.get("explicitIV")
        if (vector is not None) != fairplay or vector and len(base64.b64decode(vector, validate=True)) != 16:
            yield "explicitIV is for FairPlay"
    kids = [key.get("kid") for key in root.iter(CPIX + "ContentKey")]
    if any(str(uuid.UUID(kid)) != kid for kid in kids) or len(set(kids)) != len(kids):
        yield "kid"
    pairs = [(system.get("systemId"), system.get("kid")) for system in root.iter(CPIX + "DRMSystem")]
    systems = {system for system, _ in pairs}
    if sorted(pairs) != sorted((system, kid) for system in systems for kid in kids):
        yield "not every system has every key once"
    for system in root.iter(CPIX + "DRMSystem"):
        if not len(system):
            yield "a DRMSystem asks for nothing"
        if len(system.findall(CPIX + "HLSSignalingData")) not in (0, 2):
            yield "HLSSignalingData is not for both playlists"
        if system.get("systemId") == FAIRPLAY and system.find(CPIX + "PSSH") is not None:
            yield "FairPlay has no PSSH"
    rules = root.findall(f"{CPIX}ContentKeyUsageRuleList/{CPIX}ContentKeyUsageRule")
    if sorted(rule.get("kid") for rule in rules) != sorted(kids):
        yield "not every key has its rule"
    tracks = [rule.get("intendedTrackType") for rule in rules]
    if len(set(tracks)) != len(tracks) or not all(tracks):
        yield "intendedTrackType"
    for rule in rules:
        names = sorted(etree.QName(child).localname for child in rule)
        bare = not any(child.attrib for child in rule)
        if rule.get("intendedTrackType") == "ALL":
            if names != ["AudioFilter", "VideoFilter"] or not bare:
                yield "ALL takes one bare filter of each kind"
        elif len(names) != 1:
            yield "a rule has one filter"


def key_of(kid):
    return hashlib.sha256(b"the key of " + kid.encode()).digest()[:16]


def pssh(system, kid, scheme, content):
    """The pssh box and, for PlayReady, the object in it."""
    if system == WIDEVINE:
        box = widevine.generate_pssh([kid], provider="example", content_id=content, version=0, protection_scheme=scheme)
        return box, None
    if system == PLAYREADY:
        keys = [{"key_id": kid, "key": base64.b16encode(key_of(kid))}]
        algorithm = "AESCTR" if scheme == "cenc" else "AESCBC"
        header = playready.generate_wrmheader(keys, LICENSES, algorithm)
        return playready.generate_pssh(keys, LICENSES, algorithm), playready.generate_playready_object(header)
    body = b"pssh" + bytes([1 if system == COMMON else 0, 0, 0, 0]) + uuid.UUID(system).bytes
    if system == COMMON:
        body += struct.pack(">I", 1) + uuid.UUID(kid).bytes + struct.pack(">I", 0)
    else:
        body += struct.pack(">I", 5) + b"other"
    return struct.pack(">I", len(body) + 4) + body, None


def hls_tag(tag, system, kid, scheme, box, pro):
    method = "AES-128" if scheme == "cbc1" else "SAMPLE-AES"
    if system == WIDEVINE:
        uri, form = "data:text/plain;base64," + encoded(box), f"urn:uuid:{WIDEVINE}"
    elif system == PLAYREADY:
        uri, form = "data:text/plain;charset=UTF-16;base64," + encoded(pro), "com.microsoft.playready"
    elif system == FAIRPLAY:
        uri, form = "skd://" + kid, "com.apple.streamingkeydelivery"
    else:
        uri, form = "https://keys.example/" + kid, "identity"
    return f'#{tag}:METHOD={method},URI="{uri}",KEYFORMAT="{form}",KEYFORMATVERSIONS="1"'.encode()


def encoded(data):
    return base64.b64encode(data).decode()


def fill(root):
    """Makes a request the answer to itself."""
    for key in root.iter(CPIX + "ContentKey"):
        secret = etree.SubElement(etree.SubElement(key, CPIX + "Data"), PSKC + "Secret")
        etree.SubElement(secret, PSKC + "PlainValue").text = encoded(key_of(key.get("kid")))
        scheme = key.get("commonEncryptionScheme")
    for element in root.iter(CPIX + "DRMSystem"):
        system, kid = element.get("systemId"), element.get("kid")
        box, pro = pssh(system, kid, scheme, root.get("contentId"))
        for part in element:
            name = etree.QName(part).localname
            if name == "PSSH":
                part.text = encoded(box)
            elif name == "ContentProtectionData":
                text = f'<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">{encoded(box)}</cenc:pssh>'
                if pro:
                    text += f'\n<mspr:pro xmlns:mspr="urn:microsoft:playready">{encoded(pro)}</mspr:pro>'
                part.text = encoded(text.encode())
            elif name == "HLSSignalingData":
                tag = "EXT-X-KEY" if part.get("playlist") == "media" else "EXT-X-SESSION-KEY"
                part.text = encoded(hls_tag(tag, system, kid, scheme, box, pro))
            elif name == "SmoothStreamingProtectionHeaderData":
                part.text = encoded(pro)


root = etree.fromstring(sys.stdin.buffer.read())
found = list(faults(root))
kids = [key.get("kid") for key in root.iter(CPIX + "ContentKey")]
if not found:
    fill(root)
json.dump(
    {
        "faults": found,
        "answer": etree.tostring(root, xml_declaration=True, encoding="UTF-8").decode(),
        "keys": {kid: key_of(kid).hex() for kid in kids},
    },
    sys.stdout,
)
