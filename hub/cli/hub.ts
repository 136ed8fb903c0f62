/** `flotilla hub init` and `flotilla hub run`: the server's side, on the machine that holds the data directory. */
import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { CliError, EXIT } from '../../protocol/cli-error.js';
import type { Context } from './context.js';

interface InitOptions {
  dataDir: string;
  listen?: string;
  mqttListen?: string;
  broker?: string;
  database?: string;
  hostname?: string[];
  bundlePodSecurity?: string;
  bundleMinHostPort?: string;
  bundleHostPath?: string[];
  bundleNodeLabel?: string[];
  bundleMaxNodes?: string;
}

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

export function hubCommand(context: Context): Command {
  return new Command('hub')
    .summary('set up and run the hub')
    .addCommand(initCommand(context))
    .addCommand(runCommand(context));
}

function initCommand(context: Context): Command {
  return new Command('init')
    .summary('make a hub: keys, certificates, store, kubeconfig')
    .description(
      'Makes the keys of root, release and hub, a certificate authority, server certificates, the store and ' +
        'admin.kubeconfig in an empty directory, and prints the next two commands.',
    )
    .requiredOption('--data-dir <dir>', 'empty or new directory')
    .option('--listen <[host]:port>', 'HTTPS: API and enrolment (default: :8443)')
    .option('--mqtt-listen <[host]:port>', 'the embedded broker (default: :8883)')
    .option(
      '--broker <embedded|url>',
      'embedded, or mqtts://host:port of one of your own (default: embedded)',
    )
    .option('--database <kind>', 'sqlite (default: sqlite)')
    .option(
      '--hostname <name>',
      'name or address that nodes reach the hub by; may be given again',
      collect,
    )
    .option(
      '--bundle-pod-security <level>',
      'what bundles may ask of nodes that allow it too: privileged, baseline or restricted (default: baseline)',
    )
    .option('--bundle-min-host-port <port>', 'lowest host port of bundles, or none (default: 1024)')
    .option(
      '--bundle-host-path <path>',
      'host path that bundles may mount below privileged; may be given again',
      collect,
    )
    .option(
      '--bundle-node-label <k=v>',
      'bundles run on nodes that enrolled with this label alone; may be given again',
      collect,
    )
    .option('--bundle-max-nodes <n>', 'the most nodes that one bundle may reach (default: any)')
    .action(async (options: InitOptions) => {
      const { initHub } = await import('../setup/init.js');
      const made = await setUp(() =>
        initHub({
          dataDir: options.dataDir,
          listen: options.listen,
          mqttListen: options.mqttListen,
          broker: options.broker,
          database: options.database,
          hostnames: options.hostname,
          bundlePodSecurity: options.bundlePodSecurity,
          bundleMinHostPort: options.bundleMinHostPort,
          bundleHostPaths: options.bundleHostPath,
          bundleNodeLabels: options.bundleNodeLabel,
          bundleMaxNodes: options.bundleMaxNodes,
          clock: context.clock,
          random: size => randomBytes(size),
        }),
      );
      const print = (line: string) => context.terminal.print(line);
      print(`Made a hub in ${options.dataDir}`);
      print(`  fleet        ${made.fleet}`);
      print(`  root         sha256:${made.fingerprint}`);
      print(`  kubeconfig   ${made.kubeconfig}`);
      print(
        `  nodes reach  ${made.config.advertise.hub}, ${made.config.advertise.brokers.join(', ')}`,
      );
      if (made.config.broker !== 'embedded') {
        print(`  for the broker: certificate, key and authority in ${options.dataDir}/broker`);
      }
      print('This hub holds every key (development). Next:');
      for (const command of made.nextCommands) print(`  ${command}`);
    });
}

function runCommand(context: Context): Command {
  return new Command('run')
    .summary('run the hub')
    .requiredOption('--data-dir <dir>', 'directory that `flotilla hub init` made')
    .action(async (options: { dataDir: string }) => {
      const { runHub } = await import('../main.js');
      const { logTo } = await import('../log.js');
      const stamped = context.env['JOURNAL_STREAM'] === undefined;
      const log = logTo(process.stderr, stamped ? context.clock : null);
      const hub = await setUp(() =>
        runHub({
          dataDir: options.dataDir,
          clock: context.clock,
          random: size => randomBytes(size),
          log,
        }),
      );
      await new Promise<void>(done => {
        if (context.signal.aborted) return done();
        context.signal.addEventListener('abort', () => done(), { once: true });
      });
      log.info('the hub stops');
      await hub.close();
      context.exit(EXIT.done);
    });
}

/** Errors of setting up are sentences for a person; anything else is a bug and keeps its stack. */
async function setUp<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name, code, message } = error as NodeJS.ErrnoException;
    if (name === 'SetupError' || name === 'StoreError') throw new CliError('refused', message);
    if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL') {
      throw new CliError(
        'failed',
        `cannot listen: ${message}`,
        'free the address, or change it in hub.yaml',
      );
    }
    throw error;
  }
}
