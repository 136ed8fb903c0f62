/** `flotilla hub init` and `flotilla hub run`: the server's side, on the machine that holds the data directory. */
import { counted } from '../../protocol/counted.js';
import { randomBytes } from 'node:crypto';
import { Command, Option } from 'commander';
import { CliError, EXIT } from '../../protocol/cli-error.js';
import type { KeyLock } from '../setup/key-lock.js';
import type { Context } from './context.js';
import { brokerConfigCommand } from './hub-broker-config.js';
import { backupCommand, restoreCommand } from './hub-backup.js';
import { monitoringCommand } from './hub-monitoring.js';
import { recoveryCommand } from './hub-recovery.js';
import { passphraseCommand } from './hub-passphrase.js';
import { setUp } from './set-up.js';
import { newLockIn, unlock, withLock, type LockFlags } from './unlock.js';
import { agree, YES } from './consent.js';

interface InitOptions extends LockFlags {
  dataDir: string;
  listen?: string;
  mqttListen?: string;
  broker?: string;
  dynamicSecurity?: boolean;
  database?: string;
  hostname?: string[];
  bundlePodSecurity?: string;
  bundleMinHostPort?: string;
  bundleHostPath?: string[];
  bundleNodeLabel?: string[];
  bundleMaxNodes?: string;
  offlineRoot?: boolean;
  root?: string;
}

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), value];

export function hubCommand(context: Context): Command {
  return new Command('hub')
    .summary('set up and run the hub')
    .addCommand(initCommand(context))
    .addCommand(runCommand(context))
    .addCommand(passphraseCommand(context))
    .addCommand(brokerConfigCommand(context))
    .addCommand(monitoringCommand(context))
    .addCommand(backupCommand(context))
    .addCommand(restoreCommand(context))
    .addCommand(recoveryCommand(context))
    .addCommand(dropKeysCommand(context))
    .addCommand(recoverCommand(context));
}

function initCommand(context: Context): Command {
  return new Command('init')
    .summary('make a hub: keys, certificates, store, kubeconfig')
    .description(
      'Makes the keys of root, release and hub, a certificate authority, server certificates, the store and ' +
        'admin.kubeconfig in an empty directory, and prints the next two commands.\n\n' +
        'With --offline-root the keys of root and release are kept elsewhere: this makes the hub and root-request.json, which ' +
        '`flotilla root create` takes; then --root completes the hub (docs/security.md).',
    )
    .requiredOption('--data-dir <dir>', 'empty or new directory')
    .option('--listen <[host]:port>', 'HTTPS: API and enrolment (default: :8443)')
    .option('--mqtt-listen <[host]:port>', 'the embedded broker (default: :8883)')
    .option(
      '--broker <embedded|url>',
      'embedded, or mqtts://host:port of one of your own (default: embedded)',
    )
    .option(
      '--dynamic-security',
      'keep the dynamic security of that broker, a Mosquitto, in step (docs/brokers.md)',
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
    .option('--passphrase-file <file>', 'encrypt the private keys with the passphrase in this file')
    .addOption(
      new Option(
        '--key-file <file>',
        'encrypt the private keys for the age key in this file',
      ).conflicts('passphraseFile'),
    )
    .option('--offline-root', 'make no root and release keys: they are, and stay, elsewhere')
    .option('--root <file>', 'complete a hub that was made with --offline-root: its signed root 1')
    .action(async (options: InitOptions) => {
      if (options.offlineRoot === true && options.root !== undefined) {
        throw new CliError('refused', '--offline-root begins, --root completes: give one of them');
      }
      const lock = (await setUp(() => newLockIn(context, options))) ?? undefined;
      const settings = { ...settingsOf(context, options), lock };
      if (options.offlineRoot === true) return initOffline(context, settings);
      if (options.root !== undefined) await unlock(context, options.dataDir, options);
      const made = await setUp(async () => {
        if (options.root !== undefined) {
          const { completeHub } = await import('../setup/init-offline.js');
          const { dataDir, root: rootPath } = options;
          return completeHub({ dataDir, rootPath, clock: context.clock });
        }
        const { initHub } = await import('../setup/init.js');
        return initHub(settings);
      });
      const print = (line: string) => context.terminal.print(line);
      print(`Made a hub in ${options.dataDir}`);
      print(`  fleet        ${made.fleet}`);
      print(`  root         sha256:${made.fingerprint}`);
      print(`  kubeconfig   ${made.kubeconfig}`);
      print(
        `  nodes reach  ${made.config.advertise.hub}, ${made.config.advertise.brokers.join(', ')}`,
      );
      if (made.config.broker !== 'embedded') {
        const command = `flotilla hub broker-config mosquitto --data-dir ${options.dataDir} --out DIR`;
        print(
          `  for the broker: certificate, key and authority in ${options.dataDir}/broker, or all`,
        );
        print(`                  that Mosquitto needs: ${command}`);
      }
      const keys =
        options.root === undefined ? 'every key (development)' : 'neither root nor release keys';
      print(`This hub holds ${keys}. Next:`);
      for (const command of made.nextCommands) print(`  ${command}`);
    });
}

function settingsOf(context: Context, options: InitOptions) {
  return {
    dataDir: options.dataDir,
    listen: options.listen,
    mqttListen: options.mqttListen,
    broker: options.broker,
    dynamicSecurity: options.dynamicSecurity,
    database: options.database,
    hostnames: options.hostname,
    bundlePodSecurity: options.bundlePodSecurity,
    bundleMinHostPort: options.bundleMinHostPort,
    bundleHostPaths: options.bundleHostPath,
    bundleNodeLabels: options.bundleNodeLabel,
    bundleMaxNodes: options.bundleMaxNodes,
    clock: context.clock,
    random: (size: number) => randomBytes(size),
  };
}

async function initOffline(
  context: Context,
  settings: ReturnType<typeof settingsOf> & { lock: KeyLock | undefined },
): Promise<void> {
  const { initWaitingHub } = await import('../setup/init-offline.js');
  const made = await setUp(() => initWaitingHub(settings));
  const print = (line: string) => context.terminal.print(line);
  print(`Made a hub in ${settings.dataDir} that waits for its root`);
  print(`  fleet        ${made.fleet}`);
  print(`  request      ${made.request}`);
  print(`  hub key      ${made.hubKey}`);
  print(`  TLS pin      ${made.tlsPin}`);
  print('Carry the request to where the root keys are, and compare hub key and pin there. Next:');
  print('  flotilla root create --plan root.yaml --request root-request.json --out root-1.json');
  print('  flotilla root sign root-1.json --key KEY            # each holder of a root key');
  print(`  flotilla hub init --data-dir ${settings.dataDir} --root root-1.json`);
}

interface RecoverOptions extends LockFlags {
  dataDir: string;
  root?: string;
  keepAuthority?: boolean;
  yes?: boolean;
}

function recoverCommand(context: Context): Command {
  return withLock(new Command('recover'))
    .summary('new keys after the keys of the hub were stolen')
    .description(
      'On the hub that stands still, or a new machine with its backup: makes a new hub key, authority, certificates and ' +
        'admin.kubeconfig, and a request to be named in the next root, of a higher epoch. With --root it takes that root ' +
        'and gives every node a fresh assignment. Nodes refuse the stolen key from then on (docs/recovery.md).',
    )
    .requiredOption('--data-dir <dir>', 'of the hub')
    .option('--root <file>', 'the next root, signed: completes the recovery')
    .option(...YES)
    .option('--keep-authority', 'keep certificates: only the signing key was stolen')
    .action(async (options: RecoverOptions) => {
      const { dataDir, root, keepAuthority = false } = options;
      await unlock(context, dataDir, options);
      const { beginRecovery, completeRecovery } = await import('../setup/recover.js');
      const print = (line: string) => context.terminal.print(line);
      if (root !== undefined) {
        const { logTo } = await import('../log.js');
        const log = logTo(process.stderr, context.clock);
        const { clock } = context;
        const what =
          'the former key of the hub counts nowhere any more, every node is assigned anew';
        await agree(context, `Take ${root} (${what})?`, { given: options.yes });
        const done = await setUp(() => completeRecovery({ dataDir, rootPath: root, clock, log }));
        print(
          `root ${done.version} is in force, epoch ${done.epoch}: ${counted(done.assignments, 'node')} assigned anew`,
        );
        const { settingsOf } = await import('../setup/load.js');
        if (settingsOf(dataDir).broker !== 'embedded') {
          print('The broker needs the new certificate, key and authority before nodes come back:');
          print(`  flotilla hub broker-config mosquitto --data-dir ${dataDir} --out DIR`);
        }
        print(`  flotilla hub run --data-dir ${dataDir}`);
        return;
      }
      const random = (size: number) => randomBytes(size);
      const made = await setUp(() => beginRecovery({ dataDir, keepAuthority, random }));
      const next = `root-${made.version + 1}.json`;
      print(`The hub has a new key, ${made.hubKey}, not in force yet.`);
      print(`  request      ${made.request}`);
      for (const pin of made.tlsPins) print(`  TLS pin      ${pin}`);
      print('Carry the request to where the root keys are, and compare key and pin there. Next:');
      print(
        `  flotilla root edit --from root-${made.version}.json --request root-request.json --raise-epoch`,
      );
      print(
        `  flotilla root sign ${next} --key KEY      # ${made.rootThreshold} holders of root keys, in turn`,
      );
      print(`  flotilla hub recover --data-dir ${dataDir} --root ${next}`);
    });
}

function dropKeysCommand(context: Context): Command {
  return withLock(new Command('drop-keys'))
    .summary('remove private root and release keys that the root does not name any more')
    .requiredOption('--data-dir <dir>', 'of the hub, which may be running')
    .option(...YES)
    .action(async (options: { dataDir: string; yes?: boolean } & LockFlags) => {
      const { dataDir, yes } = options;
      await unlock(context, dataDir, options);
      const { findUselessKeys, removeUselessKeys } = await import('../setup/drop-keys.js');
      const found = await setUp(async () => findUselessKeys(dataDir));
      if (found.length === 0) {
        context.terminal.print('nothing to remove: the root names every key that lies here');
        return;
      }
      for (const { file, role, id } of found) {
        context.terminal.print(`${file}: the root names no ${role} key ${id}`);
      }
      await agree(context, `Remove ${found.length} private keys for ever?`, { given: yes });
      await setUp(async () => removeUselessKeys(dataDir));
      context.terminal.print(`removed ${found.map(({ file }) => file).join(', ')}`);
    });
}

function runCommand(context: Context): Command {
  return withLock(new Command('run'))
    .summary('run the hub')
    .description(
      'Runs the hub of a data directory, as its hub.yaml says: listen, mqttListen, broker, dynamicSecurity, database, ' +
        'advertise, backup. With `dynamicSecurity: true` it keeps a Mosquitto of your own told who belongs to the fleet ' +
        '(docs/brokers.md).',
    )
    .requiredOption('--data-dir <dir>', 'directory that `flotilla hub init` made')
    .action(async (options: { dataDir: string } & LockFlags) => {
      await unlock(context, options.dataDir, options);
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
