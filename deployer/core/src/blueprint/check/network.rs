//! Security groups: ports, and who may reach them.

use super::super::problem::{Span, did_you_mean};
use super::super::raw::{RawIngress, RawSecurityGroup, RawSources};
use super::super::reader::{At, Field};
use super::super::{Ingress, SecurityGroup, Source};
use super::Check;
use super::known::Known;

impl Check<'_> {
    pub(super) fn check_security_group(
        &mut self,
        known: &Known,
        raw: RawSecurityGroup,
    ) -> Option<SecurityGroup> {
        let rules = match raw.ingress {
            Field::Missing => Vec::new(),
            Field::Wrong => return None,
            Field::Set(rules) => rules.value,
        };
        let mut ingress: Vec<Ingress> = Vec::new();
        let mut right = true;
        for rule in rules {
            let Some(opened) = rule
                .set()
                .and_then(|At { value, span }| self.rule(known, span, value))
            else {
                right = false;
                continue;
            };
            for At { value, span } in opened {
                if ingress.contains(&value) {
                    self.note(span.head(), "this rule stands here a second time");
                    right = false;
                }
                ingress.push(value);
            }
        }
        right.then_some(SecurityGroup { ingress })
    }

    /// What a rule opens: as many times its ports as it names sources.
    fn rule(&self, known: &Known, span: Span, raw: RawIngress) -> Option<Vec<At<Ingress>>> {
        let ports = self.check_ports(span, raw.port, raw.ports);
        let from = self.need(span.head(), "from", raw.from);
        let from = from.and_then(|from| self.check_sources(known, span, from));
        let (first_port, last_port) = ports?;
        let opened = |At { value, span }| At {
            value: Ingress {
                first_port,
                last_port,
                from: value,
            },
            span,
        };
        Some(from?.into_iter().map(opened).collect())
    }

    /// Each source with the place that is pointed at when its rule is one too many.
    fn check_sources(
        &self,
        known: &Known,
        rule: Span,
        At { value, span }: At<RawSources>,
    ) -> Option<Vec<At<Source>>> {
        let sources = match value {
            RawSources::One(value) => {
                let source = self.check_source(known, &At { value, span })?;
                let span = rule;
                return Some(vec![At {
                    value: source,
                    span,
                }]);
            }
            RawSources::Several(sources) => sources,
        };
        if sources.is_empty() {
            let help = "for example `[my-ip, 203.0.113.0/24]`";
            self.note_help(span.head(), "this list names nobody", help);
            return None;
        }
        let checked: Vec<_> = sources
            .into_iter()
            .map(|source| {
                let at = source.set()?;
                let value = self.check_source(known, &at)?;
                Some(At {
                    value,
                    span: at.span,
                })
            })
            .collect();
        checked.into_iter().collect()
    }

    fn check_ports(
        &self,
        span: Span,
        port: Field<i64>,
        ports: Field<String>,
    ) -> Option<(u16, u16)> {
        match (port, ports) {
            (Field::Missing, Field::Missing) => {
                let help = "write `port: 5000`, or `ports: 5000-5001` for a range";
                self.note_help(span.head(), "this rule names no port", help);
                None
            }
            (Field::Set(port), Field::Missing) => {
                let port = self.within("a port", &port, 1, 65535)?;
                let port = u16::try_from(port).ok()?;
                Some((port, port))
            }
            (Field::Missing, Field::Set(ports)) => self.check_range(&ports),
            (Field::Set(_), Field::Set(ports)) => {
                self.note(ports.span, "a rule has `port` or `ports`, not both");
                None
            }
            _ => None,
        }
    }

    fn check_range(&self, ports: &At<String>) -> Option<(u16, u16)> {
        let range = ports.value.split_once('-').and_then(|(first, last)| {
            Some((
                first.trim().parse::<u16>().ok()?,
                last.trim().parse::<u16>().ok()?,
            ))
        });
        match range {
            Some((first, last)) if 0 < first && first <= last => Some((first, last)),
            Some((first, last)) if 0 < last && last < first => {
                let help = format!("did you mean `{last}-{first}`?");
                self.note_help(ports.span, "the first port comes first", help);
                None
            }
            _ => {
                let message = format!("`{}` is not a range of ports from 1 to 65535", ports.value);
                self.note_help(ports.span, message, "for example `5000-5001`");
                None
            }
        }
    }

    fn check_source(&self, known: &Known, from: &At<String>) -> Option<Source> {
        let text = from.value.as_str();
        if text == "my-ip" {
            return Some(Source::MyIp);
        }
        if text.contains(['.', '/', ':']) {
            return self.check_addresses(from).map(Source::Range);
        }
        if let Some(near) =
            did_you_mean(text, ["my-ip"]).filter(|_| !known.groups.contains(&from.value))
        {
            self.note_help(
                from.span,
                format!("`security-groups` has no `{text}`"),
                near,
            );
            return None;
        }
        self.check_reference(from, "security-groups", &known.groups)
            .map(Source::Group)
    }

    /// An IPv4 range as AWS keeps it: with no bit set after the prefix.
    fn check_addresses(&self, from: &At<String>) -> Option<String> {
        let text = from.value.as_str();
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            let address: std::net::Ipv4Addr = address.parse().ok()?;
            let digits = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
            let prefix: u32 = prefix
                .parse()
                .ok()
                .filter(|prefix| digits && *prefix <= 32)?;
            Some((address, prefix))
        });
        let Some((address, prefix)) = parsed else {
            let help = match text.parse::<std::net::Ipv4Addr>() {
                Ok(address) => format!("for this one address write `{address}/32`"),
                Err(_) => "write `my-ip`, a security group, or IPv4 like `203.0.113.0/24`".into(),
            };
            self.note_help(
                from.span,
                format!("`{text}` is not a range of addresses"),
                help,
            );
            return None;
        };
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        let network = std::net::Ipv4Addr::from(u32::from(address) & mask);
        if network != address {
            let help = format!("did you mean `{network}/{prefix}`?");
            self.note_help(
                from.span,
                format!("`{text}` is not the start of its range"),
                help,
            );
            return None;
        }
        Some(format!("{network}/{prefix}"))
    }
}
