/** A fleet in a process of its own, so that hub, broker and devices share nothing but the machine: what `fleet-process.ts` asks, done. */
import { randomOf } from '../../support/random.js';
import { BareFleet } from './bare.js';
import { WELL } from './behaviour.js';
import { noCounts } from './counts.js';
import { Fleet } from './fleet.js';
import type { Answer, Question } from './fleet-process.js';

let fleet: Fleet | null = null;
let bare: BareFleet | null = null;

function running(): Fleet {
  if (fleet === null) throw new Error('nobody joined yet');
  return fleet;
}

async function done(question: Question): Promise<unknown> {
  switch (question.ask) {
    case 'join':
      fleet = await Fleet.join({ ...question, behaviour: WELL, random: randomOf(1) });
      return null;
    case 'connect':
      return running().connect(question.atOnce);
    case 'cut':
      return running().cut();
    case 'hold':
      return running().hold();
    case 'release':
      return running().release();
    case 'speak':
      return Promise.all(running().nodes.map(node => node.speak(question.times))).then(() => null);
    case 'keys':
      return Object.fromEntries(
        running().nodes.map(({ member: { node, signer } }) => [node, signer.publicKey]),
      );
    case 'begin':
      Object.assign(running().counts, noCounts(running().counts.connected));
      return null;
    case 'counts':
      return { ...running().counts, unsaid: running().nodes.filter(node => !node.isHeard).length };
    case 'bare':
      bare = new BareFleet(
        running().nodes.map(({ member }) => member),
        question,
      );
      await bare.connect(question.atOnce);
      return bare.keys();
    case 'bareCounts':
      return bare?.counts ?? null;
    case 'bareCut':
      return bare?.cut();
  }
}

process.on('message', (question: Question & { id: number }) => {
  const answer = (one: Omit<Answer, 'id'>) => process.send?.({ id: question.id, ...one });
  done(question).then(
    result => answer({ result: result ?? null, fault: null }),
    (error: unknown) => answer({ result: null, fault: String(error) }),
  );
});
