// Writes what is made from the table of settings: .env.example and docs/configuration.md.

import { writeFileSync } from 'node:fs';
import { configurationPage, envExample } from '../dist/help.js';

writeFileSync('.env.example', envExample());
writeFileSync('docs/configuration.md', configurationPage());
