/** `flotilla hub monitoring-certificate`: lets Prometheus read the hub's figures, and nothing else. */
import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import type { Context } from './context.js';
import { setUp } from './set-up.js';
import { unlock, withLock, type LockFlags } from './unlock.js';

interface Flags extends LockFlags {
  dataDir: string;
  out: string;
  name: string;
  days: string;
}

export function monitoringCommand(context: Context): Command {
  return withLock(new Command('monitoring-certificate'))
    .summary('let Prometheus read /metrics, and nothing else')
    .description(
      'Writes a key, a client certificate and the authority of the hub into a directory, and prints what belongs into ' +
        'prometheus.yml. Who has them may read /metrics of the HTTPS port and may do nothing else (docs/watching.md).',
    )
    .requiredOption('--data-dir <dir>', 'of the hub, which may be running')
    .requiredOption('--out <dir>', 'directory to write; what is there of a former run is replaced')
    .option('--name <name>', 'whom the hub’s log names', 'prometheus')
    .option('--days <n>', 'how long the certificate is good', '365')
    .action(async (flags: Flags) => {
      await unlock(context, flags.dataDir, flags);
      const { writeMonitoringFiles } = await import('../setup/monitoring-files.js');
      const { dataDir, name } = flags;
      const made = await setUp(() =>
        writeMonitoringFiles({
          ...{ dataDir, out: flags.out, name, days: Number(flags.days), clock: context.clock },
          random: randomBytes,
        }),
      );
      const { out, target, serverName, ends } = made;
      const print = (line: string) => context.terminal.print(line);
      print(`Wrote ca.crt, client.crt and client.key to ${out}`);
      print(`The certificate ends at ${ends.toISOString().slice(0, 10)}. In prometheus.yml:`);
      const config = [
        'scrape_configs:',
        '  - job_name: flotilla-hub',
        '    scheme: https',
        '    tls_config:',
        `      ca_file: ${out}/ca.crt`,
        `      cert_file: ${out}/client.crt`,
        `      key_file: ${out}/client.key`,
        `      server_name: ${serverName}`,
        '    static_configs:',
        `      - targets: ['${target}']`,
      ];
      for (const line of config) print(line);
    });
}
