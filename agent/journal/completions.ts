/**
 * Which pods have ended for good, kept in the journal: a finished job does not run again because its dead containers were
 * removed. One thing: the table. What counts as ended is decided in `pods/completion.ts`.
 */
import type { Completion, Completions } from '../pods/completion.js';
import type { CompletionStore } from '../pods/pods.js';
import type { Connection } from './database.js';
import type { Writer } from './writer.js';

interface Row {
  readonly uid: string;
  readonly config_hash: string;
  readonly phase: Completion['phase'];
  readonly reason: string;
  readonly message: string;
  readonly finished_at: number;
}

/** Remembering one twice keeps the newer; forgetting what is not there is no error. */
export function completionStore(db: Connection, writer: Writer): CompletionStore {
  const all = db.prepare('SELECT * FROM completions ORDER BY uid');
  const remember = db.prepare(
    `INSERT OR REPLACE INTO completions (uid, config_hash, phase, reason, message, finished_at)
     VALUES (@uid, @configHash, @phase, @reason, @message, @finishedAt)`,
  );
  const forget = db.prepare('DELETE FROM completions WHERE uid = ?');
  return {
    all: (): Completions =>
      new Map(
        (all.all() as Row[]).map(({ uid, config_hash: configHash, finished_at, ...rest }) => [
          uid,
          { uid, configHash, finishedAt: finished_at, ...rest },
        ]),
      ),
    remember: completion => writer.durably(() => remember.run(completion)),
    forget: uids =>
      writer.durably(() => {
        for (const uid of uids) forget.run(uid);
      }),
  };
}
