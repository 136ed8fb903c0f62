/** The Table of events: the columns of Kubernetes' own server. */
import type { EventSpec } from '../../objects.js';
import { age } from '../../../protocol/human-duration.js';
import { column, integerColumn, wideColumn, type TableShape } from './table.js';

export const EVENT_TABLE: TableShape = {
  columns: [
    column('Last Seen', 'Time since it last happened'),
    column('Type', 'Normal or Warning'),
    column('Reason', 'What happened, in one word'),
    column('Object', 'What it happened to'),
    wideColumn('Subobject', 'The part of the object'),
    wideColumn('Source', 'Who says so'),
    column('Message', 'What happened, for a person'),
    wideColumn('First Seen', 'Time since it first happened'),
    { ...integerColumn('Count', 'How often it happened'), priority: 1 },
    { ...wideColumn('Name', 'Name of the event'), format: 'name' },
  ],
  cells(object, nowMs) {
    const event = object as unknown as EventSpec;
    const { kind, name, fieldPath } = event.involvedObject;
    return [
      age(event.lastTimestamp, nowMs),
      event.type,
      event.reason,
      `${kind.toLowerCase()}/${name}`,
      fieldPath,
      [event.source.component, event.source.host].filter(part => part !== '').join(', '),
      event.message.trim(),
      age(event.firstTimestamp, nowMs),
      event.count,
      object.metadata.name,
    ];
  },
};
