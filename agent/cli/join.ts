/** `flotilla-agent join`: makes this node a member of a fleet. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { Command } from 'commander';
import { CliError } from '../../protocol/cli-error.js';
import { nodeNameOf } from '../node-name.js';
import { openDataDirectory } from '../data-directory.js';
import { joinHub } from '../membership/join.js';
import { JoinError } from '../membership/join-http.js';
import { openJournal } from '../journal/open.js';
import { KEEP_ALL } from '../journal/retention.js';
import type { TokenCount } from '../../protocol/documents/enrolment.js';
import { readTokenFile, removeTokenFile, tokenFileMode } from '../membership/token-file.js';
import type { AgentStatus } from '../agent-status.js';
import type { CliContext } from './context.js';
import { startFault } from './start-fault.js';
import { getJson } from './socket-client.js';

interface JoinOptions {
  dataDir: string;
  tokenFile: string;
  hub?: string;
  nodeName?: string;
}

export function joinCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('join'))
    .summary('join a hub')
    .description(
      'Makes the keys of this node (they never leave it), pins the hub by the hash in the join line before anything secret ' +
        'is sent, and stores what the hub signed. The token file is removed once the token lets in nobody more.',
    )
    .requiredOption('--token-file <file>', 'the join line of `flotilla token create`; - for stdin')
    .option('--hub <url>', 'https://host:port (default: the one in the join line)')
    .option(
      '--node-name <name>',
      'name of this node (default: that of the agent that runs here, else the host name)',
    )
    .action((options: JoinOptions) => join(context, options));
}

/** How many devices the token still lets in, and what it is still good for. Null: the hub did not say. Pure. */
export function tokenLeft(token: TokenCount | null): {
  readonly left: number;
  readonly text: string;
} {
  if (token === null) return { left: 0, text: 'this device needs the token no more' };
  const { used, uses } = token;
  const left = Math.max(0, uses - used);
  const so = `(${used} of ${uses} devices joined with it)`;
  const text = left === 0 ? `the token is used up ${so}` : `the token lets in ${left} more ${so}`;
  return { left, text };
}

/** The agent that runs on the directory, as it says of itself. */
async function runningAgent(dataDir: string): Promise<Pick<AgentStatus, 'node'> | null> {
  try {
    return await getJson<AgentStatus>(dataDir, '/status');
  } catch (error) {
    if (error instanceof CliError) return null;
    throw error;
  }
}

/** Pure. What is to be typed next. `running`: the name that a running agent has for this node. */
export function nextLines(
  dataDir: string,
  joined: { readonly node: string; readonly running: string | null; readonly isWaiting: boolean },
): string[] {
  const { node, running, isWaiting } = joined;
  const run = `flotilla-agent run --data-dir ${dataDir}`;
  const then = isWaiting ? ' (it goes on by itself once the node is approved)' : '';
  if (running === null) return [`Next: ${run}${then}`];
  const pods =
    running === node
      ? 'its pods run on meanwhile, and after'
      : `it called this node "${running}", so pods are made anew under the name "${node}"`;
  return [
    `The agent that runs here knows nothing of it yet. Restart it: ${pods}.`,
    `Next: systemctl restart flotilla-agent, or stop it and: ${run}${then}`,
  ];
}

/** Why a device did not join, as `startFault` says why an agent did not start. Pure. */
export function joinFault(error: unknown): CliError | null {
  if (!(error instanceof JoinError)) return startFault(error, 'join again');
  const { code, message } = error;
  if (code !== 'Unreachable') {
    return new CliError(code === 'Local' ? 'failed' : 'refused', message);
  }
  const hint = 'is the hub running, and is its port open to this device?';
  return new CliError('failed', message, hint);
}

async function join(context: CliContext, options: JoinOptions): Promise<void> {
  const { dataDir, tokenFile } = options;
  const { clock } = context;
  const open = () => openDataDirectory(dataDir, { uid: process.getuid?.() ?? 0, tolerated: null });
  try {
    const readable = tokenFileMode(tokenFile);
    if (readable !== null) {
      context.tell(
        `warning: ${tokenFile} has mode ${readable}: others on this machine may have read the token; write it with umask 077, ` +
          'and delete one that somebody else may have (at the hub: flotilla delete token ID)',
      );
    }
    // One that is there is judged first; one that is not is made when there is something to keep in it.
    if (existsSync(dataDir)) open();
    const running = (await runningAgent(dataDir))?.node ?? null;
    const result = await joinHub({
      makeDataDir: open,
      line: await readTokenFile(tokenFile, process.stdin),
      hubUrl: options.hub,
      nodeName: options.nodeName ?? running ?? nodeNameOf(hostname()),
      dataDir,
      clock,
      random: size => randomBytes(size),
      accept: ({ root, assignment }) => {
        const journal = openJournal({
          dataDir,
          clock,
          randomId: () => randomBytes(16).toString('hex'),
          retention: KEEP_ALL,
        });
        try {
          journal.acceptRoot(root);
          if (assignment) journal.acceptAssignment(assignment);
        } finally {
          journal.close();
        }
      },
    });
    const { node, hubUrl } = result.membership;
    const isWaiting = result.assignment === null;
    context.print(
      isWaiting
        ? `Node "${node}" waits for approval at ${hubUrl}.`
        : `Joined ${hubUrl} as node "${node}".`,
    );
    context.print(`Key: sha256:${result.nodeKey}`);
    if (isWaiting) {
      context.print('Have an operator compare the key and run: flotilla node approve ' + node);
    }
    if (tokenFile !== '-') {
      const { left, text } = tokenLeft(result.token);
      // Whoever joins several devices with one file needs it for the next.
      const what =
        left > 0
          ? `Kept ${tokenFile}`
          : removeTokenFile(tokenFile)
            ? `Removed ${tokenFile}`
            : `${tokenFile} could not be removed`;
      const then = left > 0 ? '; remove it when this is the last device that needs it' : '';
      context.print(`${what}: ${text}${then}.`);
    }
    for (const line of nextLines(dataDir, { node, running, isWaiting })) context.print(line);
  } catch (error) {
    throw joinFault(error) ?? error;
  }
}
