import type { Event } from '../events/event.ts';

/** An event in the words of whoever sent it. */
export function wordsOf(event: Event) {
  const time = new Date(event.at).toISOString();
  switch (event.kind) {
    case 'view': {
      const { name, url, siteId: site_id, eventId: event_id } = event;
      return { is: 'page_view', time, name, url, site_id, event_id };
    }
    case 'event': {
      const { type: event_type, path, siteId: site_id, eventId: event_id } = event;
      return { is: 'event', time, event_type, path, site_id, event_id };
    }
    case 'login':
      return { is: 'login', time };
  }
}
