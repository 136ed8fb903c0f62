/**
 * Server-side Tables (meta.k8s.io Table): kubectl prints what the server puts into the cells, ages included, and
 * shows columns of priority 1 with `-o wide`. Pure: `nowMs` is an argument.
 */
import { toJson, type ApiObject } from '../api-object.js';
import type { Form, IncludeObject } from '../negotiate.js';

export type Cell = string | number;

export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer';
  readonly format: '' | 'name';
  readonly description: string;
  /** 1: only with `-o wide`. */
  readonly priority: 0 | 1;
}

/** The columns of a resource and the cells of one of its objects, in the same order. */
export interface TableShape {
  readonly columns: readonly Column[];
  cells(object: ApiObject, nowMs: number): readonly Cell[];
}

export function nameColumn(): Column {
  return { ...column('Name', 'Name, unique in its namespace'), format: 'name' };
}

export function column(name: string, description: string): Column {
  return { name, type: 'string', format: '', description, priority: 0 };
}

export function integerColumn(name: string, description: string): Column {
  return { ...column(name, description), type: 'integer' };
}

export function wideColumn(name: string, description: string): Column {
  return { ...column(name, description), priority: 1 };
}

const NONE = '<none>';

/** Kubernetes' word for a cell without a value. */
export function orNone(value: string | null | undefined): string {
  return value === undefined || value === null || value === '' ? NONE : value;
}

function rowObject(object: ApiObject, include: IncludeObject, version: string): string {
  switch (include) {
    case 'None':
      return 'null';
    case 'Object':
      return toJson(object);
    case 'Metadata':
      return JSON.stringify({
        kind: 'PartialObjectMetadata',
        apiVersion: `meta.k8s.io/${version}`,
        metadata: object.metadata,
      });
  }
}

/** One row as JSON. */
export function rowJson(
  shape: TableShape,
  object: ApiObject,
  options: { form: Form; nowMs: number },
): string {
  const { form, nowMs } = options;
  const cells = JSON.stringify(shape.cells(object, nowMs));
  const included = rowObject(object, form.includeObject, form.table ?? 'v1');
  return `{"cells":${cells},"object":${included}}`;
}

/** All of a Table before its rows, as JSON text; `]}` closes it. */
export function tableHead(columns: readonly Column[], form: Form, resourceVersion: string): string {
  const head = {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${form.table ?? 'v1'}`,
    metadata: { resourceVersion },
    columnDefinitions: columns,
  };
  return `${JSON.stringify(head).slice(0, -1)},"rows":[`;
}
