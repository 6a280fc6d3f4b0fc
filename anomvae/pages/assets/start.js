"use strict";
// The last script of the kit: the page is there, and so is every widget that it uses.
anomvae.start();
