// A site of somebody's, with the tag in each page, under as strict a policy as a site may have.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HostSite {
  url: string;
  /** The tag's attributes; several where there are several tags. */
  tags: Record<string, string>[];
  /** What its pages may fetch from; by default the service. */
  connect: string;
  /** Whether a page that one goes back to is loaded again. */
  fresh: boolean;
  stop(): Promise<void>;
}

/**
 * Any path of it is a page with the path in its title; below /app/ all are one page, which `go` leads around in; /named has
 * an element that is called as the tag is.
 */
export async function startHostSite(service: string): Promise<HostSite> {
  const server = createServer((req, res) => {
    const { pathname } = new URL(req.url!, 'http://site');
    const script = { '/app.js': APP, '/fresh.js': FRESH }[pathname];
    if (script !== undefined) {
      res.writeHead(200, { 'Content-Type': 'text/javascript' }).end(script);
      return;
    }
    const policy = `default-src 'none'; script-src 'self' ${service}; connect-src ${site.connect}; img-src data:; base-uri 'none'; form-action 'none'`;
    res.writeHead(200, {
      'Content-Type': 'text/html',
      'Content-Security-Policy': policy,
      'Cache-Control': 'no-cache',
    });
    res.end(pageOf(pathname));
  });
  const tagOf = (attributes: Record<string, string>) => {
    const given = Object.entries(attributes).map(([name, value]) => ` data-${name}="${value}"`);
    return `<script defer src="${service}/tracker.js"${given.join('')}></script>`;
  };
  const pageOf = (path: string) => {
    const app = path.startsWith('/app/') ? '<script defer src="/app.js"></script>' : '';
    const fresh = site.fresh ? '<script defer src="/fresh.js"></script>' : '';
    return `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<title>Page ${path}</title>${site.tags.map(tagOf).join('')}${app}${fresh}</head><body>${path === '/named' ? '<p id="footfall"></p>' : ''}<h1>${path}</h1></body></html>`;
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const site: HostSite = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tags: [{ site: 'shop' }],
    connect: service,
    fresh: false,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return site;
}

/** Its title is set once the new address is shown, as frameworks do it. */
const APP = `
const show = () => setTimeout(() => { document.title = 'Page ' + location.pathname; });
window.go = (path, method = 'pushState') => { history[method](null, '', path); show(); };
addEventListener('popstate', show);
`;

/** No browser keeps a page alive that listens to this. */
const FRESH = `addEventListener('unload', () => undefined)`;
