/** What a status says of the node's link: how long it may be silent, and what it used. Decides nothing. */
import type { StatusDocument } from '../../protocol/documents/node.js';
import { usageReport } from '../../protocol/usage.js';
import { UNLIMITED } from '../usage/budgets.js';
import { iso } from './decide.js';
import type { ReportOptions } from './report-options.js';

export function ofLink({
  meter,
  keepAliveS = () => 0,
  budgets = UNLIMITED,
}: Pick<ReportOptions, 'meter' | 'keepAliveS' | 'budgets'>): Pick<
  StatusDocument,
  'usage' | 'keepAliveS'
> {
  const ledger = meter?.ledger();
  return {
    ...(keepAliveS() > 0 ? { keepAliveS: keepAliveS() } : {}),
    ...(ledger ? { usage: usageReport(iso(ledger.since), ledger.counts, budgets.inForce()) } : {}),
  };
}
