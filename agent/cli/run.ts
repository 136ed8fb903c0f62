/** `flotilla-agent run`: the agent itself. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { Command } from 'commander';
import { EXIT } from '../../protocol/cli-error.js';
import { runAgent } from '../agent.js';
import { ConfigError } from '../config-error.js';
import { resolveConfig } from '../config.js';
import type { ConfigInput } from '../setting-lookup.js';
import { loadIdentity } from '../membership/identity.js';
import { logTo } from '../log.js';
import type { CliContext } from './context.js';
import { startFault } from './start-fault.js';

type RunOptions = ConfigInput['flags'] & { config?: string };

export function runCommand(context: CliContext): Command {
  return new Command('run')
    .summary('run the agent')
    .description(
      'Runs the Pods of the static pod directory on the local container engine. On a data directory that joined a hub it ' +
        'also takes bundles from there and reports; else it is a stand-alone kubelet.',
    )
    .option('--data-dir <dir>', 'where the agent keeps everything (FLOTILLA_DATA_DIR)')
    .option(
      '--static-pod-path <path>',
      'directory of manifests, or one file (default: <data-dir>/manifests)',
    )
    .option('--pod-manifest-path <path>', 'deprecated name of --static-pod-path')
    .option('--manifest-url <url>', 'also run the Pods that this URL lists (staticPodURL)')
    .option('--node-name <name>', 'name of this node (default: as joined, else the host name)')
    .option(
      '--engine-socket <path>',
      'socket of the engine (default: DOCKER_HOST, else /var/run/docker.sock)',
    )
    .option('--file-check-frequency <duration>', 'how often the directory is read anyway')
    .option('--node-labels <k=v,...>', 'labels of this node, for nodeSelector')
    .option('--runtime <engine|none>', 'none: a kubelet runs what lies in the directory')
    .option(
      '--remote-access <kind,...>',
      'what the hub may be given of the pods: logs, exec, attach, portForward, or none (default: logs; all of it where the ' +
        'hub holds the release key)',
    )
    .option('--api-listen <address>', 'answer on a loopback address too, such as 127.0.0.1:10255')
    .option('--config <file>', 'AgentConfiguration or KubeletConfiguration, YAML')
    .action((options: RunOptions) => run(context, options));
}

async function run(context: CliContext, options: RunOptions): Promise<void> {
  const { config: configFile, ...flags } = options;
  const { clock, env } = context;
  const log = logTo(process.stderr, env['JOURNAL_STREAM'] === undefined ? clock : null);
  try {
    const dataDir = flags.dataDir ?? env['FLOTILLA_DATA_DIR'];
    const identity = dataDir === undefined ? null : loadIdentity(dataDir);
    const readSettings = () =>
      resolveConfig({
        flags,
        env,
        file: configFile === undefined ? null : { name: configFile, text: readText(configFile) },
        hostname: hostname(),
        joinedAs: identity?.node ?? null,
      });
    const { config, warnings } = readSettings();
    for (const warning of warnings) log.warn(warning);
    const agent = await runAgent({ config, readSettings, identity, clock, log });
    const why = await new Promise<'stop' | 'powerOff'>(done => {
      if (context.signal.aborted) return done('stop');
      context.signal.addEventListener('abort', () => done('stop'), { once: true });
      process.once('SIGPWR', () => done('powerOff'));
    });
    if (why === 'powerOff') {
      log.info('the machine goes down; pods end in the order of their priority');
      await agent.endPods();
    }
    log.info('the agent stops; its pods run on');
    await agent.close();
    // A container that takes its time to end does not hold up who stops the agent; the next start goes on with it (row 82).
    context.exit(EXIT.done);
  } catch (error) {
    throw startFault(error) ?? error;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'no such file' : (code ?? String(error));
    throw new ConfigError(`--config ${path}: cannot be read: ${why}`);
  }
}
