"""Readiness: try every reference, address, permission and person that the protocol names, and change nothing."""

import base64
import binascii
import re
import socket
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import SecretStr
from rich.table import Table
from rich.text import Text

from crisis.domain.clock import say_duration
from crisis.domain.level import Level
from crisis.domain.protocol import REFERENCE, Gate, GitHubReleases, Person, Protocol, Releases, Service
from crisis.errors import CrisisError, ProtocolError
from crisis.settings import read_address, read_reference
