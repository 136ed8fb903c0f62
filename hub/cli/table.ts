/** Prints server-side Tables the way kubectl does. Pure. */
import type { Table } from './client.js';

export interface TableOptions {
  readonly wide: boolean;
  /** With `-A`: a NAMESPACE column in front. */
  readonly namespaces: boolean;
  readonly showLabels: boolean;
  readonly headers: boolean;
  /** Stands before each name: `pod/`. */
  readonly kind?: string;
}

export function rowsOf(table: Table, options: TableOptions): string[][] {
  const columns = table.columnDefinitions
    .map((column, index) => ({ ...column, index }))
    .filter(column => options.wide || (column.priority ?? 0) === 0);
  const head = columns.map(column => column.name.toUpperCase());
  const body = table.rows.map(row => columns.map(column => cell(row.cells[column.index])));
  if (options.kind !== undefined)
    body.forEach(row => (row[0] = `${options.kind ?? ''}${row[0] ?? ''}`));
  if (options.namespaces) {
    head.unshift('NAMESPACE');
    body.forEach((row, i) => row.unshift(table.rows[i]?.object.metadata.namespace ?? ''));
  }
  if (options.showLabels) {
    head.push('LABELS');
    body.forEach((row, i) => row.push(labelText(table.rows[i]?.object.metadata.labels ?? {})));
  }
  return options.headers ? [head, ...body] : body;
}

function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '<none>';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? '<none>' : pairs.sort().join(',');
}
