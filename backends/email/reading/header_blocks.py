"""Knows the blocks of header lines that stand, in a text, before a mail that is answered or forwarded
(`From: ... Sent: ... To: ... Subject: ...`, as Outlook writes them), and the lines that say "forwarded".
Pure."""

from __future__ import annotations

import re

_FROM = (
    "From|Von|De|Da|От|От кого|差出人|送信者|发件人|寄件者|보낸 사람"
    "|Van|Från|Fra|Od|Lähettäjä|Kimden|Expéditeur|Mittente"
)
_SENT = (
    "Sent|Date|Gesendet|Datum|Envoyé|Enviado|Enviado el|Enviada em|Fecha|Inviato|Data|Отправлено|Дата"
    "|送信日時|日付|日時"
    "|发送时间|日期|보낸 날짜|Verzonden|Skickat|Sendt|Dato|Wysłano|Odesláno|Lähetetty|Gönderildi"
)
_TO = (
    "To|An|À|A|Para|Кому|宛先|收件人|받는 사람"
    "|Aan|Till|Til|Do|Komu|Kime|Cc|Kopie|Копия|Destinataire|Vastaanottaja"
)
_SUBJECT = (
    "Subject|Betreff|Objet|Asunto|Oggetto|Тема|件名|主题|主旨|제목|Onderwerp|Ämne|Emne|Temat|Předmět|Assunto"
    "|Aihe|Konu"
)


def _named(words: str) -> re.Pattern[str]:
    return re.compile(rf"[*_ ]{{0,3}}(?:{words})[*_]{{0,2}}[ \xa0]?[*_]{{0,2}}[:：]", re.IGNORECASE)


_FROM_LINE, _SENT_LINE, _TO_LINE, _SUBJECT_LINE = map(_named, (_FROM, _SENT, _TO, _SUBJECT))
_ORIGINAL = re.compile(
    r"-{2,}[ ]?(?:Original[- ]Message|Original[- ]Nachricht|Ursprüngliche Nachricht|Message d.origine"
    r"|Mensaje original|Messaggio originale|Исходное сообщение|Oorspronkelijk bericht|Mensagem original"
    r"|Ursprungligt meddelande|Oprindelig meddelelse|Wiadomość oryginalna|Původní zpráva|元のメッセージ"
    r"|原始邮件)[ ]?-{2,}",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"(?:[*_-]{2,}[ ]?)?(?:(?:Begin )?Forwarded message|(?:Anfang der )?weitergeleiteten? Nachricht"
    r"|(?:Début du )?message (?:réexpédié|transféré)|(?:Inicio del )?mensaje reenviado"
    r"|(?:Inizio )?messaggio inoltrato|(?:Начало )?(?:Переадресованно(?:е|го)|Пересылаемо(?:е|го)"
    r"|Пересланно(?:е|го)|Перенаправленно(?:е|го)) сообщени[ея]|Doorgestuurd bericht|Mensagem encaminhada"
    r"|Vidarebefordrat meddelande|転送(?:された)?メッセージ|Forwarded by .{1,100}|转发的?邮件)"
    r"(?:[ ]?[*_-]{2,}|[:：])",
    re.IGNORECASE,
)
_FORWARD_SUBJECT = re.compile(
    r"\s*(?:\[[^\]]{1,40}\]\s*)?(?:fwd?|wg|tr|rv|i|enc|vs|doorst|vb|pd|转发|転送)\s?(?:\[\d+\])?[:：]",
    re.IGNORECASE,
)
_ANSWER_SUBJECT = re.compile(
    r"\s*(?:\[[^\]]{1,40}\]\s*)?(?:re|r|ref|aw|antw|sv|vá|odp|res|rif|ynt|отв|ha|回复|回覆|答复|답장)\s?(?:\[\d+\])?[:：]",
    re.IGNORECASE,
)
_RULE = re.compile(r"[_\-=]{5,}$")
_LOOK_AHEAD = 8


def is_forward_subject(subject: str) -> bool:
    """Whether a subject says that the mail was forwarded."""
    return _FORWARD_SUBJECT.match(subject) is not None


def is_answer_subject(subject: str) -> bool:
    """Whether a subject says that the mail is an answer."""
    return _ANSWER_SUBJECT.match(subject) is not None


def is_forward_line(line: str) -> bool:
    """Whether a line says that a forwarded mail follows."""
    return len(line) < 200 and _FORWARDED.match(line.strip()) is not None


def is_original_line(line: str) -> bool:
    """Whether a line says that the mail follows that is answered: `-----Original Message-----`."""
    return len(line) < 200 and _ORIGINAL.match(line.strip()) is not None


def begins_at(lines: list[str], index: int) -> bool:
    """Whether a block begins there: From, when, and to whom or what about, within a few lines."""
    if len(lines[index]) > 500 or not _FROM_LINE.match(lines[index]):
        return False
    following = [line for line in lines[index + 1 : index + 1 + _LOOK_AHEAD] if len(line) < 2000]
    sent = any(_SENT_LINE.match(line) for line in following)
    more = any(_TO_LINE.match(line) or _SUBJECT_LINE.match(line) for line in following)
    return sent and more


def above(lines: list[str], index: int) -> int:
    """Where the rule (`_____`) begins that stands above a block; `index` if there is none."""
    start = index
    while start > 0 and not lines[start - 1].strip():
        start -= 1
    return start - 1 if start > 0 and _RULE.fullmatch(lines[start - 1].strip()) else index
