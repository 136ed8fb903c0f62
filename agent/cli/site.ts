/** `flotilla-agent activate --now`, `hold`, `release`, `undo`, `redo`: a person at the device says when something changes there. */
import { userInfo } from 'node:os';
import { Command } from 'commander';
import { heldHereText } from '../held-here.js';
import type { ActivateAnswer, HoldAnswer, ReleaseAnswer, SiteAnswer } from '../site.js';
import type { RedoAnswer, UndoAnswer } from '../site-undo.js';
import { agree, YES } from './consent.js';
import type { CliContext } from './context.js';
import { openSocket, readText } from './socket-client.js';

export function activateCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('activate'))
    .summary('wait no longer for a maintenance window or for a pod that asks for time')
    .description(
      'Has the agent switch to a revision, remove one or go back from one although its maintenance windows, or those of this node, are ' +
        'closed, or a pod asks not to be disturbed. It counts for that revision alone, and stands in the journal with who said so, and ' +
        'why. What waits for something else goes on waiting for that.',
    )
    .argument('[bundle]', 'NAME or NAMESPACE/NAME; left out: all that wait for a window or a pod')
    .requiredOption('--now', 'outside the maintenance windows, and whatever lock a pod holds')
    .option('--reason <text>', 'told in the journal and to the hub', '')
    .action(async (bundle: string | undefined, flags: { dataDir: string; reason: string }) => {
      const wish = { ...flags, path: '/activate', bundle };
      const answer = await tell<ActivateAnswer>(context, wish);
      const { bundles, held } = answer;
      if (bundles.length === 0) context.print('nothing waits for a maintenance window or a lock');
      for (const one of bundles) context.print(activatedText(one));
      tellWaits(context, answer);
      for (const one of held) context.print(`left as it is: ${one}`);
    });
}

/** Pure. */
export function activatedText(one: ActivateAnswer['bundles'][number]): string {
  const { namespace, name, revision, goesBack, isRemoval } = one;
  const bundle = `bundle/${name} (${namespace})`;
  const way = goesBack ? `the way back from revision ${revision}` : `revision ${revision}`;
  const what = isRemoval ? `the removal of ${bundle}` : `${bundle} ${way}`;
  return `${what} waits for windows and locks no longer`;
}

const WHY = ['--reason <text>', 'told in the journal and to the hub', ''] as const;
const WHICH = 'NAME or NAMESPACE/NAME; left out: all';

export function holdCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('hold'))
    .summary('keep bundles as they are until they are released')
    .description(
      'Nothing of a held bundle is switched to another revision or taken away, whatever the hub wants; what comes is staged and waits ' +
        '(Held). A revision that is on trial is judged, and undone if it fails; pods run on, crash and start again as ever.',
    )
    .argument('[bundle]', `${WHICH}, those to come too`)
    .option(...WHY)
    .action(async (bundle: string | undefined, flags: { dataDir: string; reason: string }) => {
      const { bundles } = await tell<HoldAnswer>(context, { ...flags, path: '/hold', bundle });
      for (const held of bundles)
        context.print(`bundle/${held.name} (${held.namespace}) is held: ${heldHereText(held)}`);
      if (bundle === undefined) context.print('all bundles are held');
    });
}

export function releaseCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('release'))
    .alias('unhold')
    .summary('let bundles that are held go on')
    .argument('[bundle]', `${WHICH} that is held`)
    .option(...WHY)
    .action(async (bundle: string | undefined, flags: { dataDir: string; reason: string }) => {
      const wish = { ...flags, path: '/release', bundle };
      const { bundles, released, heldStill } = await tell<ReleaseAnswer>(context, wish);
      const still =
        heldStill === null
          ? 'is not held any more'
          : `is held still, as all bundles are, by ${heldStill}: flotilla-agent release`;
      for (const { namespace, name } of bundles)
        context.print(`bundle/${name} (${namespace}) ${still}`);
      if (bundle !== undefined) return;
      for (const one of released) context.print(`no longer held: ${one}`);
      context.print(released.length === 0 ? 'nothing was held' : 'nothing is held any more');
    });
}

export function undoCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('undo'))
    .summary('go back to the revision that was healthy before')
    .description(
      'Puts the revision that was healthy on this node before what runs now in its place, hub or no hub, from what the node keeps. What ' +
        'is gone back from is not tried again until the hub assigns another revision, or this one with `flotilla rollout retry`, or `redo` takes it back.',
    )
    .argument('[bundle]', 'NAME or NAMESPACE/NAME; left out: the only one that can go back')
    .option(...WHY)
    .option(...YES)
    .action(async (bundle: string | undefined, flags: UndoFlags) => {
      const { dataDir, reason, yes = false } = flags;
      const wish = { dataDir, reason, path: '/undo' };
      const { bundles } = await tell<UndoAnswer>(context, { ...wish, bundle, isTrial: true });
      for (const { namespace, name, revision, to } of bundles) {
        const what = `bundle/${name} (${namespace})`;
        await agree(`take ${what} from revision ${revision} back to revision ${to}?`, yes);
        const of = { bundle: `${namespace}/${name}`, from: revision };
        const done = await tell<UndoAnswer>(context, { ...wish, ...of });
        context.print(`${what} goes back from revision ${revision} to revision ${to}`);
        tellWaits(context, done);
        const next = done.bundles[0]?.next ?? null;
        if (next === null) continue;
        const wait = 'takes its place when it may, unless you keep it: flotilla-agent hold';
        context.print(`revision ${next}, which waits here, ${wait} ${name}`);
      }
    });
}

export function redoCommand(context: CliContext): Command {
  return context
    .withDataDir(new Command('redo'))
    .summary('take an undo back: try what was undone again')
    .description(
      'Has the agent try the revision again that the hub wants and that was undone at this device. It is on trial as for the first time, ' +
        'and goes by its maintenance windows, holds and the locks of pods.',
    )
    .argument('[bundle]', 'NAME or NAMESPACE/NAME; left out: the only one that was undone')
    .option(...WHY)
    .option(...YES)
    .action(async (bundle: string | undefined, flags: UndoFlags) => {
      const { dataDir, reason, yes = false } = flags;
      const wish = { dataDir, reason, path: '/redo' };
      const { bundles } = await tell<RedoAnswer>(context, { ...wish, bundle, isTrial: true });
      for (const { namespace, name, revision, why } of bundles) {
        const what = `bundle/${name} (${namespace})`;
        await agree(`try revision ${revision} of ${what} again, which was ${why}?`, yes);
        const done = await tell<RedoAnswer>(context, { ...wish, bundle: `${namespace}/${name}` });
        context.print(`${what} revision ${revision} ${redoneText(done)}`);
        tellWaits(context, done);
      }
    });
}

/** Pure. What becomes of it, as far as that is known by now. */
export function redoneText({ bundles, waits = [] }: RedoAnswer): string {
  if (bundles[0]?.isThere === true) return 'stays';
  return waits.length === 0
    ? 'is tried again'
    : 'is tried again as soon as nothing keeps it waiting (flotilla-agent status)';
}

/** It is said, and not done yet. */
function tellWaits(context: CliContext, { waits = [] }: Pick<SiteAnswer, 'waits'>): void {
  for (const why of waits)
    context.print(`it waits: ${why}; flotilla-agent status says how it goes`);
}

interface UndoFlags {
  readonly dataDir: string;
  readonly reason: string;
  readonly yes?: boolean;
}

/** Says it to the agent, in the name of whoever types. Throws `CliError`. */
async function tell<A = SiteAnswer>(
  { env }: CliContext,
  wish: {
    readonly dataDir: string;
    readonly path: string;
    readonly bundle: string | undefined;
    readonly reason: string;
    readonly isTrial?: boolean;
    readonly from?: number;
  },
): Promise<A> {
  const { dataDir, path, bundle, reason, isTrial = false, from } = wish;
  const by = env['SUDO_USER'] || userName();
  const query = new URLSearchParams({
    ...{ by, reason },
    ...(bundle === undefined ? {} : { bundle }),
    ...(isTrial ? { trial: '1' } : {}),
    ...(from === undefined ? {} : { from: String(from) }),
  });
  const answer = await openSocket(dataDir, `${path}?${query.toString()}`, { method: 'POST' });
  return JSON.parse(await readText(answer)) as A;
}

/** A user without an entry in the system's list has a number alone. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? ''}`;
  }
}
