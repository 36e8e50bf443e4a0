#!/bin/sh
# SLURM with two nodes on this machine, for tests: Debian's slurm-wlm and munge, as root, in a folder of its own.
#
#   apt-get install --no-install-recommends slurm-wlm munge
#   tests/slurm_on_loopback.sh start /tmp/slurm    # nodes n1 and n2, partition debug; SLURM_CONF is printed
#   tests/slurm_on_loopback.sh stop /tmp/slurm
#   tests/slurm_on_loopback.sh node /tmp/slurm n2  # start one of the nodes again
set -eu
action=$1 base=$2 host=$(hostname -s)
export SLURM_CONF="$base/slurm.conf"

node() {
  slurmd -N "$1" -f "$SLURM_CONF" -L "$base/log/$1"
}

case $action in
start)
  mkdir -p "$base/state" "$base/log" "$base/n1" "$base/n2" /run/munge
  chmod 755 "$base"
  # Every core twice: tests are light, and both nodes are the same machine.
  cat > "$SLURM_CONF" <<CONF
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=27817
AuthType=auth/munge
StateSaveLocation=$base/state
SlurmctldPidFile=$base/slurmctld.pid
SlurmdPidFile=$base/%n/slurmd.pid
SlurmdSpoolDir=$base/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
SlurmdTimeout=30
KillWait=5
InactiveLimit=0
MpiDefault=none
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=27821 CPUs=2 RealMemory=16000
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=27822 CPUs=2 RealMemory=16000
PartitionName=debug Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
  if ! munge -n < /dev/null > /dev/null 2>&1; then
    chown munge: /run/munge
    su -s /bin/sh munge -c /usr/sbin/munged
  fi
  slurmctld -f "$SLURM_CONF" -L "$base/log/slurmctld"
  node n1
  node n2
  for _ in $(seq 60); do
    [ "$(sinfo --noheader --Node --states=idle --format=%N | wc -l)" = 2 ] && break
    sleep 1
  done
  sinfo >&2
  echo "$SLURM_CONF"
  ;;
node)
  node "$3"
  ;;
stop)
  scancel --user=root || true
  scontrol shutdown || true
  ;;
esac
