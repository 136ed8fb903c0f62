/**
 * A broker that floods the node: what it costs is bounded, measured against a bare MQTT.js client that
 * reads the same flood; the heartbeat goes on and the log stays short (security.md S69).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { attacks } from '../../support/attacks/row.js';
import { NODE } from '../../support/attacks/cast.js';
import type { Victim } from '../../support/attacks/victim.js';
import { eventually } from '../../support/wait.js';

/** Two seconds of what the attack list names. */
const MESSAGES = 20_000;
/** To bare reading: signatures are never checked for garbage, parsers end at once. */
const COST_MAX = 8;
const MEMORY_MAX = 32 * 1024 * 1024;

/** CPU time and memory of a process: proc_pid_stat(5), fields 14 and 15; proc_pid_status(5). */
function costOf(pid: number): { ticks: number; memory: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const memory = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  return { ticks: Number(fields[11]) + Number(fields[12]), memory };
}

async function refusedCount(victim: Victim, code: string): Promise<number> {
  const text = await victim.metrics();
  const line = new RegExp(`^flotilla_messages_refused_total\\{code="${code}"\\} (\\d+)$`, 'm');
  return Number(line.exec(text)?.[1] ?? 0);
}

/** A bare client that reads the same topic and does nothing with it. */
async function bareReader(victim: Victim, topic: string) {
  const { url, tls } = victim.broker();
  const script = `
    import { connect } from ${JSON.stringify(import.meta.resolve('mqtt'))};
    const [url, topic, tls] = process.argv.slice(1);
    const client = connect(url, { ...JSON.parse(tls), clientId: 'flotilla-hub:bare', protocolVersion: 4, checkServerIdentity: () => undefined });
    let seen = 0;
    client.on('message', () => { if (++seen === ${MESSAGES}) console.log('all'); });
    client.on('connect', () => client.subscribe(topic, { qos: 1 }, () => console.log('ready')));
  `;
  victim.play.start('bare', process.execPath, [
    ...['--input-type=module', '-e', script, url, topic, JSON.stringify(tls)],
  ]);
  await eventually('the bare reader listens', () => victim.play.log('bare').includes('ready'));
  return {
    pid: victim.play.pid('bare'),
    done: () => eventually('it read all', () => victim.play.log('bare').includes('all')),
  };
}

attacks('the node by a flood', [
  {
    id: 'S69',
    title: '20,000 garbage messages at once: bounded CPU, memory and log; a good one is accepted',
    run: async ({ open }) => {
      const victim = await open();
      const topic = victim.topics.node(NODE, 'assignment');
      const bare = await bareReader(victim, topic);
      const pid = victim.play.pid(NODE);
      const before = { agent: costOf(pid), bare: costOf(bare.pid) };
      const logged = victim.play.log(NODE).length;
      const said = victim.statuses.length;
      const refused = await refusedCount(victim, 'Malformed');
      await victim.flood(topic, MESSAGES, n => `{"garbage":${n},"pad":"${'x'.repeat(100)}"}`);
      // In the midst of it.
      await victim.assign();
      await bare.done();
      await eventually('all of it is refused', async () => {
        return (await refusedCount(victim, 'Malformed')) - refused >= MESSAGES * 0.9;
      });
      const after = { agent: costOf(pid), bare: costOf(bare.pid) };
      const ratio =
        (after.agent.ticks - before.agent.ticks) / (after.bare.ticks - before.bare.ticks);
      assert.ok(ratio <= COST_MAX, `${ratio} times a bare reader`);
      const grown = after.agent.memory - before.agent.memory;
      assert.ok(grown < MEMORY_MAX, `the agent grew by ${Math.round(grown / 1024)} KiB`);
      const text = victim.play.log(NODE).slice(logged);
      assert.ok(text.split('\n').length <= 110, `${text.split('\n').length} lines of log`);
      assert.doesNotMatch(text, /no connection to the broker/);
      assert.ok(victim.statuses.length - said <= 110, `${victim.statuses.length - said} statuses`);
      await victim.assign();
    },
  },
]);
