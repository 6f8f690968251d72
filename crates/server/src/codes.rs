//! Every error code that this server answers with: code, HTTP status, text. Clients rely on the code;
//! the text may carry an addition that names the parameter or object at fault.

macro_rules! codes {
    ($($variant:ident $code:literal $status:literal $text:literal;)*) => {
        /// A documented error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Code {
            $(#[doc = concat!($code, ": ", $text)] $variant,)*
        }

        impl Code {
            /// The whole table.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as clients see it.
            pub(crate) fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status it comes with.
            pub(crate) fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What it says.
            pub(crate) fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

codes! {
    // The management plane.
    BadParameter            "GES.0001" 400 "A parameter is invalid.";
    ForeignProject          "GES.0016" 400 "The resource was not found: the project in the URL is not the project of the credentials.";
    MetadataAbsent          "GES.2067" 400 "The metadata does not exist.";
    MetadataExists          "GES.2067" 400 "The metadata already exists.";
    GraphAbsent             "GES.7000" 400 "The graph does not exist or has been deleted.";
    GraphGone               "GES.7000" 404 "The graph does not exist or has been deleted.";
    GraphNotRunning         "GES.7001" 400 "The graph is not running.";
    GraphBackingUp          "GES.7002" 400 "The graph is being backed up.";
    GraphStopped            "GES.7003" 400 "The graph is stopping or stopped.";
    Unavailable             "GES.7005" 503 "The service cannot do this now. Try again later.";
    Internal                "GES.7006" 500 "Internal error of the graph engine.";
    GraphDamaged            "GES.7006" 500 "Stored data of the graph are damaged. Restore the graph from a backup.";
    SchemaMismatch          "GES.7010" 400 "The metadata and the data files do not match.";
    FilePath                "GES.7011" 400 "The path or name of a metadata or data file is not legal.";
    GraphName               "GES.7012" 400 "The graph name is not legal: 4 to 50 letters, digits and underscores, beginning with a letter.";
    GraphNameTaken          "GES.7013" 400 "The graph name is already in use.";
    RequestInvalid          "GES.7016" 400 "The request body or header is not legal.";
    ObjectAbsent            "GES.7017" 400 "The object or bucket does not exist in OBS.";
    GraphQuota              "GES.7018" 400 "The quota of graphs or edges is reached.";
    BackupQuota             "GES.7019" 400 "The quota of backups is reached.";
    SecurityGroup           "GES.7022" 400 "The security group is not legal.";
    SizeIndex               "GES.7023" 400 "The graph size type index is not legal.";
    BackupAbsent            "GES.7024" 400 "The backup does not exist or has been deleted.";
    EipBindType             "GES.7031" 400 "The EIP bind type is not legal: auto_assign or bind_existing.";
    EipId                   "GES.7033" 400 "The EIP id is not legal.";
    NotNewer                "GES.7036" 400 "The version to upgrade to is not newer than the current one.";
    GraphNotStopped         "GES.7037" 400 "The graph is not stopped.";
    EipBound                "GES.7038" 400 "An EIP is bound already.";
    EipNotBound             "GES.7039" 400 "No EIP is bound.";
    BackupFailed            "GES.7040" 400 "The chosen backup did not succeed.";
    NotPermitted            "GES.7041" 403 "The permission for this operation is missing.";
    GraphCreating           "GES.7042" 400 "The graph is still being created.";
    ParameterMissing        "GES.7049" 400 "A mandatory parameter is missing.";
    ParameterEmpty          "GES.7050" 400 "A parameter is empty.";
    Architecture            "GES.7052" 400 "The CPU architecture is not legal.";
    SizeFixed               "GES.7056" 400 "A graph of this size cannot be resized.";
    SizeTarget              "GES.7057" 400 "The size to resize to is not legal.";
    MetadataTooLarge        "GES.7069" 400 "The metadata file is larger than 10 MB.";
    MetadataUnreadable      "GES.7070" 400 "The metadata file cannot be parsed.";
    // The engine, as far as management calls and jobs quote it.
    ExportFailed            "GES.8011" 400 "The graph could not be exported.";
    ImportFailed            "GES.8013" 400 "The import failed.";
    NoSuchJob               "GES.8301" 400 "There is no such job.";
    // The data plane, refused before it is reached.
    NoAccess                "GES.8020" 403 "The permission to open this graph is missing.";
    // The gateway.
    NoSuchApi               "APIGW.0101" 404 "The API does not exist or has not been published.";
    BodyTooLarge            "APIGW.0201" 413 "The request body is larger than 12 MB.";
    BadRequest              "APIGW.0106" 400 "The request is malformed.";
    UriTooLong              "APIGW.0201" 414 "The request URI is longer than 32 KB.";
    HeaderTooLarge          "APIGW.0201" 494 "The request header is larger than 32 KB.";
    RequestTooSlow          "APIGW.0201" 408 "The request was not received in time.";
    Overloaded              "APIGW.0201" 503 "Too many requests are being answered. Try again later.";
    TookTooLong             "APIGW.0201" 504 "The request took too long.";
    TooManyRequests         "APIGW.0308" 429 "The throttling threshold has been reached.";
    Unauthenticated         "APIGW.0301" 401 "Incorrect IAM authentication information";
    AccessDenied            "APIGW.0306" 403 "Access denied.";
    ProjectNotUsable        "APIGW.0310" 403 "The project is not usable with these credentials.";
    GatewayInternal         "APIGW.0601" 500 "Internal error.";
    // Identity; its bodies carry the status in place of a code.
    IdentityBadRequest      "400" 400 "The request body is invalid.";
    IdentityUnauthorized    "401" 401 "The username or password is wrong.";
    IdentityNotFound        "404" 404 "The token does not exist or has expired.";
    IdentityForbidden       "403" 403 "These credentials do not permit it.";
    IdentityAbsent          "404" 404 "It does not exist.";
    IdentityConflict        "409" 409 "It is in the way of something else.";
    // The object area.
    BucketName              "OBS.0001" 400 "The bucket name is not legal: 3 to 63 lower-case letters, digits, hyphens and dots.";
    ObjectKey               "OBS.0002" 400 "The object key is not legal.";
    NoSuchBucket            "OBS.0003" 404 "The bucket does not exist.";
    NoSuchKey               "OBS.0004" 404 "The object does not exist.";
    ObjectTooLarge          "OBS.0005" 413 "The object is larger than the limit.";
    LinkExpired             "OBS.0007" 403 "The link has expired.";
    LinkInvalid             "OBS.0008" 403 "The link is not valid: its signature does not match.";
    KeyConflict             "OBS.0006" 409 "A folder or a file of another object is in the way of this key.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_form_that_clients_parse() {
        for code in Code::ALL {
            let text = code.code();
            let number = text.rsplit('.').next().unwrap();
            assert!(number.bytes().all(|b| b.is_ascii_digit()), "{text}");
            assert!((400..600).contains(&code.status()), "{text}");
            assert!(!code.text().is_empty(), "{text}");
        }
    }

    #[test]
    fn the_text_that_old_clients_compare() {
        assert_eq!(Code::GraphAbsent.text(), "The graph does not exist or has been deleted.");
    }
}
