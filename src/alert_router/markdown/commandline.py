"""Which lines of text are commands: by the name of a program that only a command begins with."""

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Programs of infrastructure whose names are not words of a sentence.
_PROGRAMS = _set(
    "amtool ansible ansible-playbook apk apt apt-get awk aws az bosh brew bundle calicoctl ceph "
    "cephadm chmod chown chroot cilium clickhouse-client cmctl consul cqlsh crictl crontab ctr "
    "curl cypher-shell dig dmesg dnf docker docker-compose doctl du etcdctl fdisk flux flyctl "
    "gcloud gh git gitlab-ctl gitlab-rails grep gsutil hadoop hcloud hdfs helm hostnamectl "
    "ibmcloud influx iostat ip iptables ipvsadm istioctl java jmap journalctl jps jq jstack "
    "kadm kafka-consumer-groups kafka-consumer-groups.sh kafka-topics kafka-topics.sh keytool "
    "kfctl kind knife kubeadm kubectl kubectx kubens kustomize linkerd logcli loki ls lsblk "
    "lsof mc mdadm minikube mkdir mongo mongosh mpstat mtr mysql mysqladmin mysqldump nc "
    "nerdctl netstat nft nmap nmcli nodetool nomad npm nslookup ntpq nvidia-smi oc ocm openssl "
    "openstack patronictl pcs perl pg_ctl pg_dump pgrep pip pip3 pkill podman promtool ps psql "
    "pvs python python3 rabbitmq-diagnostics rabbitmqctl rados rbd redis-cli rm rmdir rpm rsync "
    "s3cmd sar scp sed sestatus smartctl ss ssh sshpass stern storcli su subctl sudo swapon "
    "sysctl systemctl tcpdump telnet terraform timedatectl tkn traceroute ufw umount uptime "
    "vault velero vgs virsh virtctl vmstat wal-g wget xargs yq yum zcat zfs zgrep zpool"
)
# Names that are words too: a command only with an argument that no sentence has.
_WORDS = _set(
    "cat cd chef-client cp cut date df diff echo env export fallocate find for free go head "
    "history host hostname htop id kill killall less ln login make mount mv nice node ping "
    "rails rake read reboot runuser service set sort source stat strace swap tail tee test time "
    "timeout top touch tree truncate unset watch wc which while"
)
_PROMPT = re.compile(
    r"[$#%>]\s+|(?:sudo\s+(?:-u\s+\S{1,60}\s+|-\w\s+)?|[A-Z_][A-Z0-9_]{0,60}=\S{0,200}\s+){1,4}"
)
_ARGUMENT = re.compile(r"\s+[^\s\w(]|\s+\S*[/=$~]")
_PATH = re.compile(r"(?:\./|/(?:usr|bin|sbin|opt|etc|home|root|var)/)\S+")
_LONGEST = 2_000


def is_command(line: str) -> bool:
    """Whether a line is a command of a shell, and no sentence. Not certain of everything that is
    one: without a program that is known, a line is a sentence."""
    line = line[:_LONGEST].strip()
    match = _PROMPT.match(line)
    rest = line[match.end() :] if match else line
    name, _, arguments = rest.partition(" ")
    if name in _PROGRAMS:
        return bool(arguments) or match is not None
    if name in _WORDS:
        return match is not None or _ARGUMENT.match(rest, len(name)) is not None
    return _PATH.match(rest) is not None
