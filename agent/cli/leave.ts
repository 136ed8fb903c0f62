/** `flotilla-agent leave`: takes this node out of its fleet, at the device. */
import { hostname } from 'node:os';
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import type { AgentStatus } from '../agent-status.js';
import { nodeNameOf } from '../node-name.js';
import { isJoined } from '../membership/identity.js';
import type { Left } from '../membership/leave.js';
import { agree, YES } from './consent.js';
import type { CliContext } from './context.js';
import { getJson, openSocket, readText } from './socket-client.js';

interface LeaveFlags {
  dataDir: string;
  yes?: true;
}

export function leaveCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('leave'))
    .summary('take this node out of its fleet')
    .description(
      'Tells the hub if it answers, ends the pods of bundles and removes their manifests, then membership, keys and sealed ' +
        'Secrets. Local manifests stay, and the agent, which must be running, goes on with them alone. Afterwards the node can ' +
        'join this fleet or another.',
    )
    .option(...YES)
    .action((flags: LeaveFlags) => leave(context, flags));
}

async function leave(context: CliContext, { dataDir, yes }: LeaveFlags): Promise<void> {
  const status = await getJson<AgentStatus>(dataDir, '/status');
  if (!isJoined(dataDir)) throw new CliError('refused', 'this node has not joined a hub');
  const { node, hub } = status;
  if (hub === null) {
    const hint = 'restart it, then leave; or wait until it has changed its keys';
    throw new CliError('refused', 'the agent does not speak for this node now', hint);
  }
  const pods = hub.bundles.map(b => `${b.namespace}/${b.name}`).join(', ');
  const what = `its keys are removed, the pods of ${pods === '' ? 'no bundle' : pods} end`;
  await agree(`Take node "${node}" out of the fleet of ${hub.url} (${what})?`, yes === true);
  const answer = await readText(await openSocket(dataDir, '/leave', { method: 'POST' }));
  for (const line of leftLines(JSON.parse(answer) as Left, nodeNameOf(hostname())))
    context.print(line);
}

/** Pure. `usual`: the name of a node that is started without one. */
export function leftLines({ node, hubUrl, told, untold, ending }: Left, usual: string): string[] {
  const lost = untold === 0 ? '' : ` ${untold} event${untold === 1 ? '' : 's'} it never hears of.`;
  return [
    `Node "${node}" left the fleet of ${hubUrl}; its keys are removed.`,
    told ? 'The hub was told.' : `The hub was not told: it did not answer.${lost}`,
    ...(ending.length === 0 ? [] : [`Pods that still end: ${ending.join(', ')}.`]),
    'The agent goes on alone, with local manifests.',
    ...(node === usual
      ? []
      : [
          `Start it with --node-name ${node} from now on: under "${usual}" its pods are made anew.`,
        ]),
    `Next, at the hub: flotilla delete node ${node}`,
  ];
}
