"""The archives service, declared."""

from __future__ import annotations

from glassware.config import Option
from glassware.service import Service
from glassware_archives import jobs, models, parts, resources
from glassware_archives.schemas import SERVICES

service = Service(
    "archives",
    package="glassware_archives",
    summary="Archives built out of streams.",
    resources=resources.RESOURCES,
    database=models.db,
    jobs=jobs.jobs,
    delegation=("tasks:read",),
    siblings=dict.fromkeys(SERVICES, "http://127.0.0.1:7002"),
    options=(
        Option("archives.max_entries", int, 10_000, "Entries of one archive."),
        Option("archives.max_bytes", int, 1024**3, "Bytes of content of one archive."),
        Option(
            "archives.kept_per_owner",
            int,
            10 * 1024**3,
            "Bytes of finished archives that one caller may have; what is being built when they are"
            " reached may pass them.",
        ),
        Option("archives.max_seconds", float, 600.0, "Seconds that building one may take."),
        Option("archives.max_spool", int, 64 * 1024**2, "Bytes put aside on disk for one."),
        Option(
            "archives.allowed_sources",
            list,
            (),
            "Hosts, host:port pairs and networks that may be fetched from besides the public "
            "Internet. Private, loopback and link-local addresses are refused without it.",
        ),
        Option(
            "archives.store",
            str,
            "file:{state_dir}/archives",
            "Where finished archives are kept: file:/folder, or s3://bucket/prefix, which several"
            " hosts share. What lies there by another name is left alone.",
        ),
        Option(
            "archives.max_link",
            int,
            604_800,
            "Seconds that a link to an archive, for people without a token, may hold.",
            minimum=1,
        ),
        Option("archives.s3_endpoint", str, "", "URL of the S3 server. Empty: Amazon's."),
        Option("archives.s3_region", str, "us-east-1", "Region of the bucket."),
        Option(
            "archives.s3_access_key",
            str,
            "",
            "Id of the key to the bucket. Empty: one that the AWS SDK finds, such as that of the"
            " machine's role.",
            secret=True,
        ),
        Option("archives.s3_secret_key", str, "", "The key to the bucket.", secret=True),
        Option(
            "archives.s3_redirect",
            bool,
            False,
            "Send downloads on to the S3 server, by an address that holds for five minutes, and do"
            " not pass them through.",
        ),
        Option(
            "archives.max_ratio",
            float,
            200.0,
            "How many times its size an archive that is looked into may unpack to.",
            minimum=1,
        ),
        Option("archives.max_reading", float, 60.0, "Seconds of processor for that.", minimum=1),
        Option("archives.max_upload", int, 1024**3, "Bytes of a request with files in it."),
        Option(
            "archives.exports",
            list,
            (),
            "Folders of this machine, as name=/path, whose files may be entries for who has the"
            " scope exports:read.",
        ),
        Option("archives.source_timeout", float, 10.0, "Seconds a source may stay silent."),
        Option("archives.fetches", int, 32, "Sources fetched at once for one archive.", minimum=1),
        Option("archives.fetches_per_origin", int, 32, "Those from one host.", minimum=1),
        Option("archives.max_ahead", int, 16 * 1024**2, "Bytes fetched ahead of their turn."),
    ),
    make_parts=parts.Parts,
)
