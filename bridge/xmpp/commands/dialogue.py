"""Knows how a form is filled in by chat: from words on the line first, then by one question at a time."""

from __future__ import annotations

from bridge.api import Field, FieldKind
from bridge.xmpp.commands.model import Ask, CommandFailed, Step
from bridge.xmpp.forms import FormError, judge, judge_value

__all__ = ["Dialogue"]

SECRET_NOTE = (
    "(Your secret was taken, but it now stands in this chat's history. "
    "The registration form or the command dialogue of your client keeps it out.)"
)
HINT = "(“-” leaves it as it is, “done” all that is left, “cancel” stops, “help” explains.)"
EXPLANATION = """\
Answer the question below, one message for each answer.
“-” leaves that one as it is, “done” all that is left to ask.
“cancel” stops: nothing is changed. Any command, such as “status”, stops it as well, and is done instead.
An answer that begins like a command goes in quotes: "status". Without an answer this ends after 5 minutes."""


class Dialogue:
    """One form on its way to be filled in."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._values: dict[str, str] = {}
        self._open: list[Field] = list(ask.form.fields)
        self._secret_typed = False

    @property
    def title(self) -> str:
        """What it is about, in short."""
        return self._ask.form.title

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to ask."""
        return not self._open

    def take_line(self, line: str) -> tuple[str, str]:
        """Fill in from the words after a command: `name=value`, or in the order of the fields, the last of
        which takes all that is left. Returns a complaint and what was not used."""
        words = line.split(" ") if line else []
        names = {field.name: field for field in self._open}
        plain: list[str] = []
        for word in words:
            name, equals, value = word.partition("=")
            if equals and name in names:
                complaint = self._put(names[name], value)
                if complaint:
                    return complaint, ""
            else:
                plain.append(word)
        complaint, rest = self._take_words(" ".join(plain).strip())
        if not complaint and (self._values or self._ask.brief):
            self._open = [field for field in self._open if self._needed(field)]
        return complaint, rest

    def _take_words(self, rest: str) -> tuple[str, str]:
        for field in tuple(self._open):
            if not rest:
                break
            last = field is self._open[-1] and not self._ask.more
            word, _, after = (rest, "", "") if last else rest.partition(" ")
            complaint = self._put(field, word)
            if complaint and field.kind is FieldKind.CHOICE and not field.required and not last:
                continue  # a choice that may be left out: the word is meant for the next field
            if complaint:
                return complaint, ""
            rest = after.strip()
        return "", rest

    def take(self, text: str) -> str:
        """The answer to the last question. Returns a complaint, "" for none."""
        word = text.lower()
        if word == "done":
            left = [field for field in self._open if self._needed(field)]
            self._open = left
            return f"“{left[0].label}” is required." if left else ""
        field = self._open[0]
        if word == "-" or not text:
            if self._needed(field):
                return f"“{field.label}” is required."
            self._open.pop(0)
            return ""
        quoted = len(text) > 1 and text[0] == text[-1] == '"'
        if quoted and (field.kind is not FieldKind.SECRET or len(text) == 2):
            text = text[1:-1]
        return self._put(field, text)

    def again(self, name: str) -> None:
        """The command did not take the answers: ask for one field again, or for all. The answer that was
        refused is forgotten; of several, any may be the right one."""
        fields = [field for field in self._ask.form.fields if field.name == name]
        self._open = fields or list(self._ask.form.fields)
        for field in self._open:
            if field.kind is FieldKind.SECRET or len(self._open) == 1:
                self._values.pop(field.name, None)

    async def submit(self) -> Step:
        """Hand the answers to the command. Raises CommandFailed, BackendError."""
        given = {
            field.name: (self._values.get(field.name, field.default),)
            for field in self._ask.form.fields
            if field.name in self._values or field.default
        }
        try:
            values = judge(self._ask.form, given, known=self._ask.known)
        except FormError as error:
            raise CommandFailed(str(error), error.field) from error
        return await self._ask.then(values)

    def introduction(self) -> str:
        """What the form is about, before its first question."""
        form = self._ask.form
        parts = [form.instructions or form.title, HINT]
        if any(field.kind is FieldKind.SECRET for field in self._open):
            parts.append(
                "(Better use your client's registration form for this: what is typed here stays here.)"
            )
        return "\n".join(parts)

    def explanation(self) -> str:
        """How to go on with it, and how to get out."""
        form = self._ask.form
        return f"{form.title}: {form.instructions or form.title}\n{EXPLANATION}"

    def question(self) -> str:
        """The next question, "" if there is none."""
        if not self._open:
            return ""
        field = self._open[0]
        notes = [field.help] if field.help else []
        if field.kind is FieldKind.CHOICE:
            notes.append("one of " + ", ".join(value or label for value, label in field.choices))
        if field.kind is FieldKind.FLAG:
            notes.append("yes or no")
        if field.kind is not FieldKind.SECRET:
            known = self._values.get(field.name, field.default)
            notes += [f"now: {known}"] if known else []
        if field.required:
            notes.append("required")
        return f"{field.label}{' (' + '; '.join(notes) + ')' if notes else ''}?"

    def warning(self, *, before: bool = False) -> str:
        """What to tell somebody who typed a secret in chat; "" otherwise, and once only."""
        if not self._secret_typed:
            return ""
        self._secret_typed = False
        return f"{SECRET_NOTE}\n" if before else f"\n{SECRET_NOTE}"

    def _put(self, field: Field, text: str) -> str:
        try:
            self._values[field.name] = judge_value(field, text, spoken=True)
        except FormError as error:
            return str(error)
        if field.kind is FieldKind.SECRET and text:
            self._secret_typed = True
        self._open = [other for other in self._open if other is not field]
        return ""

    def _needed(self, field: Field) -> bool:
        if not field.required:
            return False
        if field.kind is FieldKind.SECRET:
            return not (self._ask.known or self._values.get(field.name))
        return not (self._values.get(field.name) or field.default)
