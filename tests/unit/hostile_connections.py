"""Connections that somebody made to mislead: by field, what it holds, and words of the refusal."""

from __future__ import annotations

from typing import Any

from tests.unit.test_connection import CLIENT, HOST, IN_VAULT, RESOURCE_ID, TENANT

_NAME = HOST.removeprefix("https://")
_VAULT = "https://my-vault.vault.azure.net"

HOSTS: dict[str, tuple[str, str]] = {
    # names that look alike
    "another domain after it": (f"{HOST}.evil.net", "is not a host of the cloud"),
    "suffix glued to a name": ("https://acct.westeurope.evilbatch.azure.com", "is not a host of the cloud"),
    "suffix glued to the region": ("https://acctbatch.azure.com", "is not a host of the cloud"),
    "another top level": ("https://acct.westeurope.batch.azure.co", "is not a host of the cloud"),
    "a top level below a top level": (f"{HOST}.cn", "is not a host of the cloud"),
    "another Azure domain": ("https://acct.westeurope.batch.azure.net", "is not a host of the cloud"),
    "a virtual machine's name": ("https://acct.westeurope.cloudapp.azure.com", "is not a host of the cloud"),
    "hyphen for the dot": ("https://acct.westeurope.batch-azure.com", "is not a host of the cloud"),
    "Batch's resource": ("https://batch.core.windows.net", "is not a host of the cloud"),
    "Resource Manager": ("https://management.azure.com", "is not a host of the cloud"),
    "Entra ID": ("https://login.microsoftonline.com", "is not a host of the cloud"),
    "Storage": ("https://acct.blob.core.windows.net", "is not a host of the cloud"),
    "government's suffix": ("https://acct.usgovvirginia.batch.usgovcloudapi.net", "'us_government'"),
    "China's suffix": ("https://acct.chinaeast.batch.chinacloudapi.cn", "in the cloud 'china'"),
    "the form's own example": ("https://<account>.<region>.batch.azure.com", "name of a Batch account"),
    # the same letters in another writing
    "Cyrillic a": ("https://acct.westeurope.b\u0430tch.azure.com", "characters"),
    "Cyrillic e in the domain": ("https://acct.westeurope.batch.azur\u0435.com", "characters"),
    "long s, which is s in capitals": ("https://acct.we\u017fteurope.batch.azure.com", "characters"),
    "Kelvin's sign": ("https://\u212aacct.westeurope.batch.azure.com", "characters"),
    "full-width letters": ("https://\uff41cct.westeurope.batch.azure.com", "characters"),
    "ideographic full stop": ("https://acct\u3002westeurope.batch.azure.com", "characters"),
    "punycode for the account": (
        "https://xn--bch-2za.westeurope.batch.azure.com",
        "name of a Batch account",
    ),
    "punycode for the region": ("https://acct.xn--westeurope.batch.azure.com", "region"),
    "punycode for the suffix": ("https://acct.westeurope.xn--btch-63d.azure.com", "is not a host of"),
    "zero-width space": (f"{HOST}\u200b.evil.net", "characters"),
    "soft hyphen": ("https://acct.west\u00adeurope.batch.azure.com", "characters"),
    "right to left": (f"\u202e{HOST}", "characters"),
    # dots and escapes
    "trailing dot": (f"{HOST}.", "is not a host of the cloud"),
    "two trailing dots": (f"{HOST}..", "is not a host of the cloud"),
    "two dots": ("https://acct..westeurope.batch.azure.com", "3 labels"),
    "escaped dot": ("https://acct%2ewesteurope.batch.azure.com", "1 labels"),
    "escaped dot at the end": (f"{HOST}%2eevil.net", "is not a host of the cloud"),
    "escaped NUL": (f"{HOST}%00", "is not a host of the cloud"),
    "NUL": (f"{HOST}\x00.evil.net", "characters"),
    "newline": (f"{HOST}\n.evil.net", "characters"),
    "carriage return and a header": (f"{HOST}\r\nHost: evil.net", "characters"),
    "escape character": (f"{HOST}\x1b[2K", "characters"),
    "delete character": ("https://acct\x7f.westeurope.batch.azure.com", "characters"),
    "blank inside": ("https:// acct.westeurope.batch.azure.com", "characters"),
    "two addresses": (f"{HOST} https://evil.net", "characters"),
    "list of addresses": (f"{HOST},https://evil.net", "has a path"),
    "host list": (f"{HOST},evil.net", "is not a host of the cloud"),
    "semicolon": (f"{HOST};x", "is not a host of the cloud"),
    "underscore": ("https://acct_1.westeurope.batch.azure.com", "name of a Batch account"),
    "leading hyphen": ("https://-acct.westeurope.batch.azure.com", "name of a Batch account"),
    # what a URL may have and this one may not
    "no scheme, two slashes": (f"//{_NAME}", "does not begin with https://"),
    "one slash": (f"https:/{_NAME}", "does not begin with https://"),
    "three slashes": (f"https:///{_NAME}", "does not begin with https://"),
    "no slash": (f"https:{_NAME}", "does not begin with https://"),
    "backslashes": (f"https:\\\\{_NAME}", "characters"),
    "http in capitals": (f"HTTP://{_NAME}", "TLS only"),
    "file": ("file:///etc/passwd", "does not begin with https://"),
    "script": (f"javascript://{_NAME}", "does not begin with https://"),
    "long s in the scheme": (f"http\u017f://{_NAME}", "characters"),
    "empty port": (f"{HOST}:", "has a port"),
    "port with a zero": (f"{HOST}:0443", "has a port"),
    "port beyond all": (f"{HOST}:99999", "has a port"),
    "port in other digits": (f"{HOST}:\u0664\u0664\u0663", "characters"),
    "two ports": (f"{HOST}:443:443", "is not a host of the cloud"),
    "empty user": (f"https://@{_NAME}", "user name"),
    "host as user": (f"{HOST}@evil.net", "user name"),
    "host as user with a port": (f"{HOST}:443@evil.net", "user name"),
    "another host as user": (f"https://evil.net:443@{_NAME}", "user name"),
    "at sign at the end": (f"{HOST}@", "user name"),
    "another host before a backslash": (f"https://evil.net\\@{_NAME}", "characters"),
    "another host before a fragment": ("https://evil.net#.westeurope.batch.azure.com", "query or fragment"),
    "another host before a query": ("https://evil.net?.westeurope.batch.azure.com", "query or fragment"),
    "another host before a path": ("https://evil.net/.westeurope.batch.azure.com", "has a path"),
    "path upwards": (f"{HOST}/..", "has a path"),
    "two slashes at the end": (f"{HOST}//", "has a path"),
    "parameters": (f"{HOST}/;x", "has a path"),
    # addresses of machines
    "IPv6": ("https://[fe80::1]", "is not a host of the cloud"),
    "IPv6 of IPv4": ("https://[::ffff:127.0.0.1]", "is not a host of the cloud"),
    "IPv6 with the suffix": ("https://[::1].westeurope.batch.azure.com", "Write it as https://"),
    "the machine's metadata": ("https://169.254.169.254", "is not a host of the cloud"),
    "IPv4 as one number": ("https://2130706433", "is not a host of the cloud"),
    "IPv4 with two parts": ("https://127.1", "is not a host of the cloud"),
    "this machine": ("https://localhost", "is not a host of the cloud"),
    # length
    "account of 100,000 letters": (f"https://{'a' * 100_000}.westeurope.batch.azure.com", "3 to 24"),
    "50,000 labels": (f"https://{'a.' * 50_000}westeurope.batch.azure.com", "50001 labels"),
}

EXTRAS: dict[str, tuple[str, Any, str]] = {
    # the vault
    "vault's resource for a vault": ("vault_url", "https://vault.azure.net", "is not a host of the cloud"),
    "vault with a trailing dot": ("vault_url", f"{_VAULT}.", "is not a host of the cloud"),
    "vault with a port": ("vault_url", f"{_VAULT}:443", "has a port"),
    "vault with user info": ("vault_url", "https://u@my-vault.vault.azure.net", "user name"),
    "vault with a query": ("vault_url", f"{_VAULT}/?x", "query or fragment"),
    "vault's suffix glued on": ("vault_url", "https://my-vault.evilvault.azure.net", "is not a host of"),
    "vault with an escaped hyphen": ("vault_url", "https://my%2dvault.vault.azure.net", "3 to 24"),
    "vault in punycode": ("vault_url", "https://xn--my-vault.vault.azure.net", "3 to 24"),
    "vault in Cyrillic": ("vault_url", "https://my-v\u0430ult.vault.azure.net", "characters"),
    "vault of two letters": ("vault_url", "https://ab.vault.azure.net", "3 to 24"),
    "vault without https": ("vault_url", "my-vault", "does not begin with https://"),
    "vault at the machine's metadata": ("vault_url", "https://169.254.169.254", "is not a host of"),
    "vault in China": ("vault_url", "https://my-vault.vault.azure.cn", "in the cloud 'china'"),
    "HSM in capitals": ("vault_url", "https://my-hsm.MANAGEDHSM.azure.net", "holds keys, not secrets"),
    "vault's private link below": (
        "vault_url",
        "https://my-vault.privatelink.vault.azure.net",
        "public name",
    ),
    "vault with a NUL": ("vault_url", f"{_VAULT}\x00", "characters"),
    # names in the vault
    "name with a slash at the end": ("vault_credential_name", "name/", "is not a name in Key Vault"),
    "name upwards": ("vault_credential_name", "../keys/x", "is not a name in Key Vault"),
    "name with a query": ("vault_credential_name", "name?api-version=7.0", "is not a name in Key Vault"),
    "name with a newline": ("vault_credential_name", "na\nme", "is not a name in Key Vault"),
    "name with long s": ("vault_credential_name", "\u017fecret", "is not a name in Key Vault"),
    "name of 128": ("vault_credential_name", "n" * 128, "is not a name in Key Vault"),
    "version in capitals": ("vault_credential_name", f"n/{'A' * 32}", "32 hexadecimal"),
    "version of 33": ("vault_credential_name", f"n/{'a' * 33}", "32 hexadecimal"),
    # the tenant, which stands in the path of Entra ID's address
    "tenant with a path": ("tenant_id", f"{TENANT}/oauth2", "is not a tenant's ID"),
    "tenant upwards": ("tenant_id", f"../{TENANT}", "is not a tenant's ID"),
    "tenant with a query": ("tenant_id", f"{TENANT}?x", "is not a tenant's ID"),
    "tenant with a NUL": ("tenant_id", f"{TENANT}\x00", "is not a tenant's ID"),
    "tenant in full-width digits": ("tenant_id", f"\uff11{TENANT[1:]}", "is not a tenant's ID"),
    "tenant with Kelvin's sign": ("tenant_id", "contoso.onmicrosoft.\u212aom", "is not a tenant's ID"),
    "tenant with a trailing dot": ("tenant_id", "contoso.onmicrosoft.com.", "is not a tenant's ID"),
    "tenant as an address": ("tenant_id", "127.0.0.1", "is not a tenant's ID"),
    "tenant with an escape": ("tenant_id", "%63ommon", "is not a tenant's ID"),
    "tenant of 6,000 letters": ("tenant_id", "a.b" * 2_000, "is not a tenant's ID"),
    # everything else
    "identity with a newline": ("managed_identity_client_id", f"{CLIENT[:18]}\n{CLIENT[19:]}", "GUID"),
    "resource ID upwards": ("account_resource_id", f"{RESOURCE_ID}/../other", "resource ID"),
    "resource ID with a query": ("account_resource_id", f"{RESOURCE_ID}?x", "resource ID"),
    "resource ID as a URL": ("account_resource_id", f"https://evil.net{RESOURCE_ID}", "resource ID"),
    "cloud with a NUL": ("cloud", "public\x00", "there is no cloud"),
    "an authority of one's own": ("authority", "https://evil.net", "is not a field"),
    "a resource of one's own": ("batch_resource", "https://graph.microsoft.com", "is not a field"),
    "TLS switched off": ("verify", False, "is not a field"),
    "a CA file of one's own": ("ca_file", "/tmp/evil.pem", "is not a field"),  # noqa: S108 - a name only
    "a proxy of one's own": ("proxy", "https://evil.net", "is not a field"),
    "a field in capitals": ("Tenant_Id", TENANT, "Did you mean 'tenant_id'?"),
    "a field with a blank": ("tenant_id ", TENANT, "Did you mean 'tenant_id'?"),
    "a field in the old style": ("extra__azure_batch_ad__cloud", "public", "is not a field"),
    "a field without a name": ("", "x", "is not a field"),
    "an object for a text": ("vault_url", {"url": _VAULT}, "is not text"),
}

WHOLES: dict[str, tuple[dict[str, Any], str, str]] = {
    "client ID with braces escaped": ({"login": f"%7B{CLIENT}%7D"}, "login", "GUID"),
    "client ID without hyphens": ({"login": CLIENT.replace("-", "")}, "login", "GUID"),
    "client ID as a URN": ({"login": f"urn:uuid:{CLIENT}"}, "login", "GUID"),
    "client ID as an application's URI": ({"login": f"api://{CLIENT}"}, "login", "GUID"),
    "client ID in full-width letters": ({"login": f"\uff41{CLIENT[1:]}"}, "login", "GUID"),
    "port of its own": ({"port": 8443}, "port", "is another than that of the URL"),
    "port of plain HTTP": ({"port": 80}, "port", "Write 443"),
    "port below all": ({"port": -1}, "port", "is another than that of the URL"),
    "schema": ({"schema": "http"}, "schema", "is not used"),
    "field given twice": (
        {"extra": f'{{"tenant_id": "{TENANT}", "tenant_id": "{CLIENT}"}}'},
        "extra.tenant_id",
        "is given twice",
    ),
    "JSON too deep to read": ({"extra": "[" * 200_000}, "extra", "is not JSON"),
    "JSON with an endless number": ({"extra": f'{{"tenant_id": {"1" * 5_000}}}'}, "extra", "is not JSON"),
    "JSON in Python's writing": ({"extra": "{'tenant_id': 'x'}"}, "extra", "is not JSON"),
    "JSON with a byte order mark": ({"extra": "\ufeff{}"}, "extra", "is not JSON"),
    "JSON that is a word": ({"extra": "true"}, "extra", "is not a JSON object"),
    "fields as a query": ({"extra": f"tenant_id={TENANT}"}, "extra", "is not JSON"),
}

HOSTILE: dict[str, tuple[dict[str, Any], str, str]] = {
    **{f"host: {name}": ({"host": url}, "host", words) for name, (url, words) in HOSTS.items()},
    **{
        name: ({"extra": {**IN_VAULT, extra: value}}, f"extra.{extra}", words)
        for name, (extra, value, words) in EXTRAS.items()
    },
    **WHOLES,
}
