/** What people type at a device who come from docker, kubectl or systemd, and what to type instead. Pure. */
import { CliError } from '../../protocol/cli-error.js';

const AT_HUB = 'that is asked of the hub, where the admin.kubeconfig is: flotilla';
const DROP =
  'a manifest that is copied to the static pod directory (default: DATA-DIR/manifests) runs, and ends when it is removed from there';

const INSTEAD: Readonly<Record<string, string>> = {
  apply: `${DROP}; ${AT_HUB} apply -f FILE`,
  approve: `${AT_HUB} node approve NAME`,
  create: DROP,
  delete: DROP,
  exec: 'docker exec -it CONTAINER sh (docker ps shows the names); from afar: flotilla exec -it POD -- sh',
  get: 'flotilla-agent pods, status, journal',
  init: 'flotilla-agent join makes this device a node of a hub; run alone needs nothing made before',
  inspect: 'flotilla-agent describe POD',
  install: 'flotilla-agent run runs the agent; docs/node.md has a unit for systemd',
  kill: DROP,
  ls: 'flotilla-agent pods',
  nodes: `${AT_HUB} get nodes`,
  ps: 'flotilla-agent pods',
  reload: 'stop the agent and start it again: pods run on meanwhile',
  restart: 'stop the agent and start it again: pods run on meanwhile',
  rm: DROP,
  rollback: 'flotilla-agent undo',
  rollout: `${AT_HUB} rollout status bundle/NAME; at the device flotilla-agent status`,
  start: 'flotilla-agent run',
  stats: 'docker stats shows CPU and memory; flotilla-agent status what the link was used for',
  stop: 'stop the process of flotilla-agent run (Ctrl-C, or systemctl stop): pods run on',
  token: `${AT_HUB} token create`,
  top: 'docker stats shows CPU and memory; flotilla-agent status what the link was used for',
};

/** Throws `CliError` (refused) for a command that is none here where people are known to look for it. */
export function refuseOtherWords(commands: readonly string[], word: string): void {
  if (commands.includes(word) || !Object.hasOwn(INSTEAD, word)) return;
  throw new CliError('refused', `flotilla-agent has no command "${word}"`, INSTEAD[word] ?? null);
}
