"""Knows the numeric replies by name (the `irc` package's table, and a few that it lacks) and what refusals
mean."""

from __future__ import annotations

from irc import events

from bridge.api import Reason

_NAMES = {str(code): str(name) for code, name in events.numeric.items()} | {
    "301": "isaway",  # the package calls it like the command AWAY
    "276": "whoiscertfp",
    "307": "whoisregnick",
    "320": "whoisspecial",
    "333": "topicinfo",
    "338": "whoisactually",
    "378": "whoishost",
    "379": "whoismodes",
    "396": "hosthidden",
    "437": "unavailresource",
    "438": "nicktoofast",
    "447": "nonickchange",
    "470": "linkchannel",
    "479": "badchanname",
    "489": "secureonlychan",
    "520": "operonly",
    "671": "whoissecure",
    "696": "invalidmodeparam",
}


def name_of(command: str) -> str:
    """The name of a numeric; anything else in lower case."""
    return _NAMES.get(command) or command.lower()


NICK_TAKEN = frozenset({"nicknameinuse", "nickcollision", "unavailresource"})
BAD_NICK = frozenset({"erroneusnickname", "nonicknamegiven"})
LOGIN_ANSWERS = frozenset(
    {
        "loggedin",
        "nicklocked",
        "saslsuccess",
        "saslfail",
        "sasltoolong",
        "saslaborted",
        "saslalready",
        "saslmechs",
        "passwdmismatch",
    }
)

REFUSALS: dict[str, Reason] = {
    "nosuchnick": Reason.NOT_FOUND,
    "nosuchserver": Reason.NOT_FOUND,
    "nosuchchannel": Reason.NOT_FOUND,
    "cannotsendtochan": Reason.FORBIDDEN,
    "toomanychannels": Reason.RATE_LIMITED,
    "toomanytargets": Reason.RATE_LIMITED,
    "nonicknamegiven": Reason.BAD_REQUEST,
    "erroneusnickname": Reason.BAD_REQUEST,
    "nicknameinuse": Reason.CONFLICT,
    "nickcollision": Reason.CONFLICT,
    "unavailresource": Reason.CONFLICT,
    "nicktoofast": Reason.RATE_LIMITED,
    "nonickchange": Reason.FORBIDDEN,
    "usernotinchannel": Reason.NOT_FOUND,
    "notonchannel": Reason.NOT_IN_ROOM,
    "useronchannel": Reason.CONFLICT,
    "needmoreparams": Reason.BAD_REQUEST,
    "linkchannel": Reason.FORBIDDEN,
    "channelisfull": Reason.ROOM_FULL,
    "unknownmode": Reason.UNSUPPORTED,
    "inviteonlychan": Reason.INVITE_ONLY,
    "bannedfromchan": Reason.BANNED,
    "badchannelkey": Reason.NOT_AUTHORIZED,
    "badchanmask": Reason.BAD_REQUEST,
    "nochanmodes": Reason.REGISTRATION_REQUIRED,
    "badchanname": Reason.BAD_REQUEST,
    "noprivileges": Reason.FORBIDDEN,
    "chanoprivsneeded": Reason.FORBIDDEN,
    "restricted": Reason.FORBIDDEN,
    "secureonlychan": Reason.FORBIDDEN,
    "operonly": Reason.FORBIDDEN,
    "unknowncommand": Reason.UNSUPPORTED,
    "invalidmodeparam": Reason.BAD_REQUEST,
    "tryagain": Reason.RATE_LIMITED,
}
"""What an error numeric means for a command that was waiting. 477 is called `nochanmodes` in the package's
table; servers use it for channels that want a registered nick."""


def is_error(command: str) -> bool:
    """Whether this is an error numeric."""
    return len(command) == 3 and command[0] in "45" and command.isdecimal()
