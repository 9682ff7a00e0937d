// An app for Zapier's platform with OAuth 2.0, of the form that its scaffold generates.
const authentication = require("./authentication");
const { befores, afters } = require("./middleware");

module.exports = {
  version: require("./package.json").version,
  platformVersion: require("zapier-platform-core").version,
  authentication,
  beforeRequest: [...befores],
  afterResponse: [...afters],
  triggers: {},
  searches: {},
  creates: {},
};
