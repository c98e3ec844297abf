"""What may be done with the attachments of tasks."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from unicodedata import category, is_normalized
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import undefer

from glassware.auth import Principal
from glassware.media.text import FORBIDDEN, REPLACEMENT
from glassware.problems import InvalidProblem, NotFoundProblem, TooLargeProblem
from glassware_tasks.domain import visible_to
from glassware_tasks.models import NAME_LENGTH, Attachment, db

Attachments = Select[Any]


class TooManyAttachmentsProblem(TooLargeProblem):
    """The task has as many attachments as one may have."""

    title, slug = "Too many attachments", "too-many-attachments"
    advice = "Remove an attachment of the task, or replace one."


def of_task(who: Principal, id: UUID, *, to_change: bool = False) -> Attachments:
    """Return the attachments of a task that the caller may see. Raises NotFoundProblem.

    Those who are going ``to_change`` them do so one after the other: they wait here, where the
    database locks rows, and with their first write where it has one writer at a time.
    """
    task = visible_to(who).filter_by(id=id)
    if to_change:
        task = task.with_for_update(key_share=True)
    if db.session.scalar(task) is None:
        raise NotFoundProblem(f"There is no task {id} here.")
    return select(Attachment).filter_by(task_id=id)


def named(among: Attachments, name: str) -> Attachment | None:
    """Return the attachment of this name, but for its content; none of a name that cannot be."""
    return None if name_fault(name) else db.session.scalar(among.filter_by(name=name))


def require(among: Attachments, name: str) -> Attachment:
    """Return the attachment of this name. Raises NotFoundProblem."""
    found = named(among, name)
    if found is None:
        raise NotFoundProblem("The task has no attachment of this name.")
    return found


def whole(among: Attachments) -> Attachments:
    """Have the content read with the rest: what is read later may be the next one's."""
    return among.options(undefer(Attachment.content))


def keep(attachment: Attachment, content: bytes, content_type: str) -> Attachment:
    """Give the attachment, which may be a new one, this content."""
    attachment.content, attachment.content_type = content, content_type
    attachment.size, attachment.sha256 = len(content), sha256(content).hexdigest()
    db.session.add(attachment)
    db.session.flush()
    return attachment


def check_count(id: UUID, most: int) -> None:
    """Raise TooManyAttachmentsProblem where the task has more attachments than so many.

    To be asked once the newest is there, as from then on nobody else adds one.
    """
    count = select(func.count()).select_from(Attachment).filter_by(task_id=id)
    if (db.session.scalar(count) or 0) > most:
        raise TooManyAttachmentsProblem(f"A task has at most {most} attachments.")


def remove(attachment: Attachment) -> None:
    db.session.delete(attachment)


def check_name(name: str) -> None:
    """Raise InvalidProblem, which says why the name is not that of a file."""
    if fault := name_fault(name):
        raise InvalidProblem(f"The name is not that of a file: {fault}", errors={"name": [fault]})


def name_fault(name: str) -> str:
    if name in (".", ".."):
        return "It stands for a folder."
    if REPLACEMENT in name:
        return "It is not UTF-8, or has the character that stands for what is not."
    if FORBIDDEN.search(name) or any(category(each) == "Cc" for each in name):
        return "It has control characters, or others that XML cannot carry."
    if not is_normalized("NFC", name):
        return "It is not in Unicode's normal form C."
    if len(name.encode()) > NAME_LENGTH:
        return f"It has more than {NAME_LENGTH} bytes in UTF-8."
    return ""
