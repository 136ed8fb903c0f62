/** `flotilla hub broker-config`: writes what a broker of one's own needs to serve the fleet. */
import { Command } from 'commander';
import type { Context } from './context.js';
import { setUp } from './set-up.js';
import { shellWord } from './shell-word.js';

interface Flags {
  dataDir: string;
  out: string;
  installDir?: string;
  listen?: string;
  websocketListen?: string;
  user: string;
  dynamicSecurity?: boolean;
  plugin?: string;
}

export function brokerConfigCommand(context: Context): Command {
  const mosquitto = new Command('mosquitto')
    .summary('Mosquitto 2.0: configuration, access rules, certificates')
    .description(
      'Writes mosquitto.conf, its access rules and the certificates into a directory for Mosquitto alone: TLS 1.3 with ' +
        'client certificates, where the common name is user name and client id; queue limits that do not drop what was ' +
        'acknowledged; packets larger than a message refused. The directory may be carried to another machine.\n\n' +
        'With access rules in a file a revoked node is refused by hub and nodes at once, but its connection to the ' +
        'broker lives. With --dynamic-security, and `dynamicSecurity: true` in hub.yaml, the hub keeps the rules in step and ' +
        'cuts the connection (docs/brokers.md).',
    )
    .requiredOption('--data-dir <dir>', 'of the hub, which may be running')
    .requiredOption('--out <dir>', 'directory to write; what is there of a former run is replaced')
    .option('--install-dir <dir>', 'where it will lie on the broker’s machine (default: --out)')
    .option('--listen <[host]:port>', 'where Mosquitto listens (default: the port in hub.yaml)')
    .option(
      '--websocket-listen <[host]:port>',
      'where it serves MQTT over WebSocket besides, for sites that let out HTTPS alone',
    )
    .option('--user <name>', 'user that Mosquitto runs as', 'mosquitto')
    .option('--dynamic-security', 'access rules that the hub keeps in step, in place of a file')
    .option(
      '--plugin <path>',
      'mosquitto_dynamic_security.so on the broker’s machine (default: as packages have it)',
    )
    .action((flags: Flags) => writeMosquitto(context, flags));
  return new Command('broker-config')
    .summary('write the configuration of a broker of your own')
    .addCommand(mosquitto);
}

async function writeMosquitto(context: Context, flags: Flags): Promise<void> {
  const { writeMosquittoFiles } = await import('../setup/mosquitto-files.js');
  const made = await setUp(async () => writeMosquittoFiles(flags));
  const { config, out, directory, isDynamic, written, kept } = made;
  const print = (line: string) => context.terminal.print(line);
  print(`Wrote ${written.join(', ')} to ${out}`);
  if (kept !== null) print(`Kept ${kept}: it is the broker’s own.`);
  if (config.broker === 'embedded') {
    print('The hub runs its embedded broker: set `broker` and `advertise.brokers` in hub.yaml to');
    print('mqtts://HOST:PORT of this one and restart the hub.');
  }
  if (isDynamic && config.dynamicSecurity !== true) {
    print('Add `dynamicSecurity: true` to hub.yaml and restart the hub: it lets the nodes in.');
  }
  print('Next, on the broker’s machine:');
  if (directory !== out) print(`  # carry ${out} to ${directory}`);
  print(`  chown -R ${flags.user}: ${shellWord(directory)}`);
  print(`  mosquitto -c ${shellWord(`${directory}/mosquitto.conf`)}`);
}
