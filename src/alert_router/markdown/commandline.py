"""Which lines are commands, in code and in prose: by the name of the program that they begin with.

The one table of program names. Prose needs more certainty than code.
"""

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Names of programs that no sentence and no line of output begins with.
_PROGRAMS = _set(
    "amtool ansible ansible-playbook apk apt apt-get argocd awk aws az bosh brew bundle calicoctl "
    "ceph cephadm chef-client chmod chown chroot cilium clickhouse-client cmctl consul cqlsh "
    "crictl crontab ctr curl cypher-shell dig dmesg dnf docker docker-compose doctl dpkg drbdadm "
    "du egrep etcdctl ethtool fdisk flux flyctl fsck gcloud gh git gitlab-ctl gitlab-rails "
    "gitlab-rake gluster grep gsutil hadoop hcloud hdfs helm hostnamectl ibmcloud influx iostat "
    "ip ipmitool iptables ipvsadm istioctl java jcmd jmap journalctl jps jq jstack k9s kadm "
    "kafka-consumer-groups kafka-consumer-groups.sh kafka-topics kafka-topics.sh keytool kfctl "
    "knife kubeadm kubectl kubectx kubens kubeseal kustomize linkerd logcli ls lsblk lsmod lsof "
    "lvextend lvs mc mdadm mimirtool minikube mkdir modprobe mongo mongosh mpstat mtr mysql "
    "mysqladmin mysqldump nano nc ncat nerdctl netstat nft nmap nmcli nodetool nomad npm nslookup "
    "ntpq nvidia-smi oc ocm openssl openstack patronictl pcs perl pg_ctl pg_dump pg_isready "
    "pgbackrest pgrep pip pip3 pkill podman promtool ps psql pvs python python3 "
    "rabbitmq-diagnostics rabbitmqctl rados radosgw-admin rbd rclone redis-cli resize2fs rm "
    "rmdir rpm rsync s3cmd sar scp sed sestatus smartctl sqlite3 ss ssh sshpass stern storcli su "
    "subctl sudo swapon sysctl systemctl tcpdump telnet terraform timedatectl tkn traceroute tsh "
    "ufw umount uptime vault velero vgdisplay vgs vi vim virsh virtctl vmstat wal-g wget xargs yq "
    "yum zcat zfs zgrep zpool"
)
# Programs whose names a sentence may begin with, but no line of output.
_SHORT = _set("cd cf cp crm df ln mv ping")
# Names that are English words: a command only with an argument that no sentence has.
_WORDS = _set(
    "cat cut date diff echo env export fallocate find free go head history host hostname htop id "
    "kill killall kind less login loki mail make mount nginx nice node rails rake read reboot "
    "restic ruby runuser screen service set sleep snap sort source stat strace swap tail tar tee "
    "test time timeout top touch tree truncate unset w wait watch wc which who"
)
_KEYWORDS = _set("for if while")  # of the shell, in code only
_PROMPT = re.compile(
    r"[$#%>]\s+|(?:sudo\s+(?:-u\s+\S{1,60}\s+|-\w\s+)?|[A-Z_][A-Z0-9_]{0,60}=\S{0,200}\s+){1,4}"
)
_ARGUMENT = re.compile(r"\s+[^\s\w(]|\s+\S*[/=$~]")
_PATH = re.compile(r"(?:\./|/(?:usr|bin|sbin|opt|etc|home|root|var)/)\S+")
_FIRST = re.compile(r"\s*(?:[A-Za-z_]\w*=[^\s\"'$`(]*[ \t]+)*(?P<word>\S+)", re.ASCII)
# Not every `|`, which also divides the columns of a table, and no ` = ` as in a file of settings.
_SHELL_SIGN = re.compile(
    r"(?<!\S)-{1,2}\w|[$;`]|(?<=\S)=|(?<!\S)[~./]*/|^for \w+ in |<[\w -]+>|\|\s*(?:[a-z]*grep"
    r"|gunzip|awk|sed|jq|xargs|sort|head|tail|wc|less|tee|cut|uniq|tr|column|base64|python3?|bash|sh)\b"
)
_LONGEST = 2_000


def is_command(line: str) -> bool:
    """Whether a line of prose is a command of a shell, and no sentence. Not certain of everything
    that is one: without a program that is known, a line is a sentence."""
    line = line[:_LONGEST].strip()
    match = _PROMPT.match(line)
    rest = line[match.end() :] if match else line
    name, _, arguments = rest.partition(" ")
    if name in _PROGRAMS:
        return bool(arguments) or match is not None
    if name in _SHORT or name in _WORDS:
        return match is not None or _ARGUMENT.match(rest, len(name)) is not None
    return _PATH.match(rest) is not None


def is_command_in_code(line: str) -> bool:
    """Whether a line of a code block is certainly a command, and no output."""
    if starts_with_program(line):
        return True
    name = _first_word(line)
    return (name in _WORDS or name in _KEYWORDS) and _SHELL_SIGN.search(line) is not None


def starts_with_program(line: str, *, or_word: bool = False) -> bool:
    """Whether a line of a code block starts with a program whose name no line of output has.
    `or_word`: or with one whose name is an English word."""
    name = _first_word(line)
    return name in _PROGRAMS or name in _SHORT or (or_word and name in _WORDS)


def _first_word(line: str) -> str:
    words = _FIRST.match(line)
    return words["word"].rsplit("/", 1)[-1] if words else ""
