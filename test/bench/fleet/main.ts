/** `npm run fleet -- --token-file FILE … --nodes N`: simulated devices for a real hub, until it is interrupted. */
import { readFileSync } from 'node:fs';
import { wordsOf } from '../../support/command-words.js';
import { randomOf } from '../../support/random.js';
import { noCounts } from './counts.js';
import { Fleet } from './fleet.js';

const USAGE = `usage: npm run fleet -- --token-file FILE [--token-file FILE …] --nodes N [options]
Simulated devices that join a hub, speak its protocol with true keys and signatures, and run nothing.

  --token-file FILE    a join line, of: flotilla token create --uses 1000   (again for each further 1,000 devices)
  --uses N             devices per join line (1000)
  --nodes N            devices, at most about 19,000 in one process with 20,000 open files
  --prefix NAME        they are called NAME-1, NAME-2 … (sim)
  --apply MS           mean time from the last byte to running (0)
  --fail PER-MILLE     devices of 1,000 that cannot run a revision; another draw for each revision (0)
  --sleep AWAKE/ASLEEP seconds awake and asleep in turn, such as 60/540 (always awake)
  --connect-at-once N  connections on their way at once (100)
  --seed N             of all draws (1)

Prints a line every five seconds. They are members from then on: flotilla delete node NAME removes one.
`;

const text = { type: 'string' } as const;
const {
  values,
  number,
  refuse: bad,
} = wordsOf(USAGE, {
  ...{ 'token-file': { ...text, multiple: true }, uses: text, nodes: text, prefix: text },
  ...{ apply: text, fail: text, sleep: text, seed: text, 'connect-at-once': text },
});

function sleepOf(given: string | undefined) {
  if (given === undefined) return null;
  const [, awakeS, asleepS] = /^(\d{1,7})\/(\d{1,7})$/.exec(given) ?? [];
  return awakeS && asleepS
    ? { awakeS: Number(awakeS), asleepS: Number(asleepS) }
    : bad(`--sleep ${given}: use seconds awake and asleep, such as 60/540`);
}

const files = values['token-file'] ?? bad('--token-file is missing');
const count = number('nodes', 0) || bad('--nodes is missing');
const prefix = values.prefix ?? 'sim';
const fleet = await Fleet.join({
  names: Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`),
  lines: files.map(file => ({
    text: readFileSync(file, 'utf8').trim(),
    uses: number('uses', 1000),
  })),
  behaviour: {
    applyMs: number('apply', 0),
    failPerMille: number('fail', 0),
    sleep: sleepOf(values.sleep),
  },
  random: randomOf(number('seed', 1)),
  onJoined: joined => {
    if (joined % 100 === 0 || joined === count)
      process.stderr.write(`\rjoined ${joined} of ${count}`);
  },
}).catch((error: unknown) => bad(error instanceof Error ? error.message : String(error)));
process.stderr.write('\n');
if (values.sleep === undefined) await fleet.connect(number('connect-at-once', 100));
else fleet.live();

const print = () => {
  const { connected, received, sent, healthy, failed } = { ...noCounts(), ...fleet.counts };
  process.stdout.write(
    `connected ${connected}/${count}, messages in ${received} out ${sent}, revisions healthy ${healthy} failed ${failed}\n`,
  );
};
print();
const printing = setInterval(print, 5_000);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(printing);
    fleet.close();
    print();
  });
}
