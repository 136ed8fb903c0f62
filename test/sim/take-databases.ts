/** SQLite is real; its commits are steps at which a process may die, and which a full disk refuses. */
import Database from 'better-sqlite3';
import { basename } from 'node:path';
import { lives, outside, step, type AnyFunction, type Holder } from './steps.js';

const statements = new WeakMap<Database.Database, Map<string, Database.Statement>>();

/**
 * A journal prepares its statements at each call, on a device that has time. Here they are kept; those of the hub's
 * store keep themselves.
 */
function prepared(
  database: Database.Database,
  sql: string,
  make: () => Database.Statement,
): Database.Statement {
  if (basename(database.name) !== 'journal.db') return make();
  const known = statements.get(database) ?? new Map<string, Database.Statement>();
  statements.set(database, known);
  const found = known.get(sql);
  if (found?.busy === false) return found.reader ? found.pluck(false) : found;
  const made = make();
  known.set(sql, made);
  return made;
}

export function takeDatabases(): void {
  const calls = Database.prototype as unknown as Holder;
  const [prepare, exec, transaction] = ['prepare', 'exec', 'transaction'].map(
    name => calls[name] as AnyFunction,
  ) as [AnyFunction, AnyFunction, AnyFunction];
  const own = (database: Database.Database) => {
    lives();
    const actor = outside()?.scheduler.actor;
    if (!actor || actor.belongings.has(database)) return;
    actor.belongings.add(database);
  };
  /** Around what is a transaction of its own. */
  const lasting = <T>(database: Database.Database, isCommit: boolean, work: () => T): T => {
    const actor = outside()?.scheduler.actor;
    if (!actor || !isCommit) return work();
    step(0);
    outside()?.disk(actor, database);
    const result = work();
    step(0.5);
    return result;
  };
  calls['prepare'] = function (this: unknown, ...args) {
    const database = this as Database.Database;
    own(database);
    const sql = args[0] as string;
    const statement = prepared(
      database,
      sql,
      () => prepare.apply(this, args) as Database.Statement,
    );
    if (sql !== 'COMMIT') return statement;
    return { run: () => lasting(database, true, () => statement.run()) };
  };
  calls['exec'] = function (this: unknown, ...args) {
    const database = this as Database.Database;
    own(database);
    return lasting(database, args[0] === 'COMMIT', () => exec.apply(this, args));
  };
  calls['transaction'] = function (this: unknown, ...args) {
    const database = this as Database.Database;
    own(database);
    const made = transaction.apply(this, args) as Database.Transaction;
    const around = (run: (...given: unknown[]) => unknown) =>
      function (this: unknown, ...given: unknown[]): unknown {
        return lasting(database, !database.inTransaction, () => run.apply(this, given));
      };
    const wrapped = around(made);
    const kinds = (['deferred', 'immediate', 'exclusive'] as const).map(
      kind => [kind, around((...given) => made[kind](...given))] as const,
    );
    return Object.assign(wrapped, { default: wrapped, database, ...Object.fromEntries(kinds) });
  };
}
