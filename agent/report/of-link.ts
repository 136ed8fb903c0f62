/** What goes with a status and makes none: how long the node may be silent, what it used and what it holds. Decides nothing. */
import type { StatusDocument } from '../../protocol/documents/node.js';
import { usageReport } from '../../protocol/usage.js';
import { UNLIMITED } from '../usage/budgets.js';
import { iso } from './decide.js';
import type { ReportOptions } from './report-options.js';

export function ofLink({
  meter,
  keepAliveS = () => 0,
  budgets = UNLIMITED,
  holds,
}: Pick<ReportOptions, 'meter' | 'keepAliveS' | 'budgets' | 'holds'>): Pick<
  StatusDocument,
  'usage' | 'keepAliveS' | 'holds'
> {
  const ledger = meter?.ledger();
  const held = holds?.() ?? null;
  return {
    ...(keepAliveS() > 0 ? { keepAliveS: keepAliveS() } : {}),
    ...(ledger ? { usage: usageReport(iso(ledger.since), ledger.counts, budgets.inForce()) } : {}),
    ...(held === null ? {} : { holds: held }),
  };
}
