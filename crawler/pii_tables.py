"""What an e-mail address may end in, and how long an IBAN is: tables for `pii.py`.

Not all of either: the top-level domains are those of all countries and the general ones that people
have addresses in.

Sources: IANA's root zone, ISO 3166-1; SWIFT's IBAN registry.
"""

_DOMAINS = """
ac ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt
bw by bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg er
es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht
hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr
ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng
ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd
se sg sh si sk sl sm sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw
tz ua ug uk us uy uz va vc ve vg vi vn vu wf ws ye yt za zm zw
aero asia biz cat com coop edu gov info int jobs mil mobi museum name net org post pro tel
travel academy agency app art bank berlin blog business care center chat city cloud club
community company consulting design dev digital email energy engineering events expert family
finance foundation fund global group guru health help homes house institute international jetzt
law life link live london ltd management marketing media money network news nyc one online page
partners photography photos plus press research rocks school science services shop site social
software solutions space store studio support systems team tech technology today tokyo tools
top training university video website wiki work works world xyz zone
"""
# Without them every matrix product of a program, `x@layer.weight`, would be an address.
TOP_LEVEL = frozenset(_DOMAINS.split())

_IBANS = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18
DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23
IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27
MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19
SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
# `DE22 FR27`: Germany 22 characters, France 27
IBAN_LENGTH = {code[:2]: int(code[2:]) for code in _IBANS.split()}
